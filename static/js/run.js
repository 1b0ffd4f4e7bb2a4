// The form that starts a job: says the chosen day as the site writes days, whatever the browser's field shows, and offers
// the reason that a kind is mostly started for until somebody has chosen one.
(() => {
  "use strict";
  const language = document.documentElement.lang;

  const tell = (said) => {
    const chosen = document.getElementById(said.dataset.repeats).value;
    const at = new Date(`${chosen}T00:00:00Z`);
    said.textContent = Number.isNaN(at.getTime())
      ? "\u2013"
      : `${chosen}, ${at.toLocaleDateString(language, { weekday: "long", timeZone: "UTC" })}`;
  };

  for (const said of document.querySelectorAll("[data-repeats]")) {
    document.getElementById(said.dataset.repeats).addEventListener("input", () => tell(said));
    window.addEventListener("pageshow", () => tell(said)); // a browser may keep what was in a field
  }

  const reason = document.getElementById("reason");
  let isChosen = false;
  reason.addEventListener("change", () => { isChosen = true; });
  for (const kind of document.querySelectorAll('input[name="kind"]')) {
    kind.addEventListener("change", () => { if (!isChosen) reason.value = kind.dataset.reason; });
  }
})();
