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
