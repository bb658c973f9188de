// Copies what a button names: <button data-copy="text">. Everything works without it but for the copying.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || !navigator.clipboard) return;
  navigator.clipboard.writeText(button.dataset.copy).then(() => {
    button.classList.add("portal-copied");
    setTimeout(() => button.classList.remove("portal-copied"), 1500);
  });
});
