// Copies what a button names: <button data-copy="text">. Everything works without it but for the copying.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || !navigator.clipboard) return;
  navigator.clipboard.writeText(button.dataset.copy).then(() => {
    button.classList.add("portal-copied");
    setTimeout(() => button.classList.remove("portal-copied"), 1500);
  });
});

// Enter finds what stands in the box, also what was pasted in several lines; not while an input method still composes a word.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !event.target.matches("[role=search] textarea")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

// The box above django-rq's lists ticks all their jobs; its own script is an inline one.
document.addEventListener("change", (event) => {
  if (event.target.id !== "action-toggle") return;
  document.querySelectorAll("input.action-select").forEach((box) => { box.checked = event.target.checked; });
});

// Lists of boxes (portal/tick_list.html): what is typed above narrows them, and a choice in the same form says which group is meant.
// What is ticked in another group stays in sight, for it would be saved.
const shorten = (list) => {
  const typed = list.querySelector(".portal-narrow-list")?.value.trim().toLowerCase() ?? "";
  const chooser = list.closest("form")?.elements[list.dataset.groupField];
  const group = chooser?.value ? chooser.selectedOptions[0].textContent.trim() : "";
  const isMeant = (each) => !group || !each.dataset.group || each.dataset.group === group;
  list.querySelectorAll("label").forEach((row) => {
    row.hidden = !(isMeant(row) || row.control.checked) || !row.textContent.toLowerCase().includes(typed);
  });
  list.querySelectorAll("p[data-group]").forEach((title) => {
    title.hidden = ![...list.querySelectorAll("label")].some((row) => !row.hidden && row.dataset.group === title.dataset.group);
  });
};
const shortenAll = () => document.querySelectorAll(".portal-ticks").forEach(shorten);
document.addEventListener("input", shortenAll);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches(".portal-narrow-list")) event.preventDefault(); // it would save the form
});
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".portal-narrow-list").forEach((box) => { box.hidden = false; });
  shortenAll();
});
