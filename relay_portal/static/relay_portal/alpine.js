// What Unfold writes into its attributes and Alpine reads without eval only under a name.
document.addEventListener("alpine:init", () => {
  for (const name of ["theme", "searchForm", "searchDropdown", "searchCommand"]) {
    if (typeof window[name] === "function") Alpine.data(name, window[name]);
  }

  const first = (document.body.getAttribute("x-data") || "").match(/activeTab: '([^']*)'/);
  Alpine.data("portalBody", () => ({
    activeTab: "",
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    init() {
      this.activeTab = first ? getCurrentTab() || first[1] : "";
      this.$watch("sidebarDesktopOpen", (isOpen) =>
        localStorage.setItem("sidebarDesktopOpen", isOpen ? "1" : "0"));
    },
    // Where a form goes, so that its tab is open again afterwards.
    formAddress() {
      const { pathname, search } = window.location;
      return pathname + search + (this.activeTab && this.activeTab !== "general" ? "#" + this.activeTab : "");
    },
  }));
  document.body.setAttribute("x-data", "portalBody");
  document.body.removeAttribute("x-init");

  for (const button of document.querySelectorAll('[x-on\\:click*="localStorage"]')) {
    button.setAttribute("x-on:click", "sidebarDesktopOpen = !sidebarDesktopOpen");
  }
  // A field that is chosen from a list shows no other field, so nothing has to follow it.
  for (const field of document.querySelectorAll('[x-init*="django.jQuery"]')) {
    field.removeAttribute("x-init");
  }
  for (const form of document.querySelectorAll('form[x-bind\\:action*="window."]')) {
    form.setAttribute("x-bind:action", "formAddress()");
  }
});
