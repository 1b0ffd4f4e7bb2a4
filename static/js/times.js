// Keeps relative times right: <time data-shown="age|lasted|left" datetime="…"> counts by itself, without asking the server.
// <time data-shown="moment|clock|day"> is told in the zone of the reader, and its title says it in UTC.
// Where such times stand, class="zone" says which zone that is; so does data-zone, for a cell that has its label beside
// it on a telephone.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words").textContent);
  const served = Number(document.body.dataset.now) * 1000;
  let skew = 0; // the server's clock minus this one's, ms; small differences are the way, not the clock

  const heard = (serverNow) => {
    const difference = serverNow - Date.now();
    skew = Math.abs(difference) < 2500 ? 0 : difference;
  };

  const two = (figure) => String(figure).padStart(2, "0");

  const span = (seconds) => {
    const units = [[86400, words.d], [3600, words.h], [60, words.min], [1, words.s]];
    const first = units.findIndex(([size]) => seconds >= size);
    if (first < 0) return `0\u00a0${words.s}`;
    const [size, unit] = units[first];
    const text = `${Math.floor(seconds / size)}\u00a0${unit}`;
    if (size !== 60) return text;
    return `${text} ${two(Math.floor(seconds % 60))}\u00a0${words.s}`;
  };

  const zone = () => {
    const east = -new Date().getTimezoneOffset();
    if (east === 0) return "UTC";
    const minutes = Math.abs(east) % 60;
    return `UTC${east < 0 ? "−" : "+"}${Math.floor(Math.abs(east) / 60)}${minutes ? `:${two(minutes)}` : ""}`;
  };

  // As the server writes it, so that nothing changes its width.
  const local = (at, shown) => {
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (shown === "clock") return clock;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    return shown === "day" ? day : `${day} ${clock}:${two(at.getSeconds())}`;
  };

  const said = (element) => {
    const shown = element.dataset.shown;
    if (shown === "moment" || shown === "clock" || shown === "day") return local(new Date(element.getAttribute("datetime")), shown);
    const apart = (Date.now() + skew - Date.parse(element.getAttribute("datetime"))) / 1000;
    if (shown === "lasted") return span(Math.max(0, apart));
    if (shown === "age") return words.ago.replace("{time}", span(Math.max(0, apart)));
    return apart < 0 ? words.in.replace("{time}", span(-apart)) : words.over;
  };

  const refresh = (root) => {
    for (const element of root.querySelectorAll("time[data-shown]")) {
      const text = said(element);
      if (element.textContent !== text) element.textContent = text;
      if (!element.title) element.title = new Date(element.getAttribute("datetime")).toISOString().slice(0, 19).replace("T", " ") + " UTC";
    }
    const here = zone();
    for (const element of root.querySelectorAll(".zone")) {
      if (element.textContent !== here) element.textContent = here;
    }
    for (const cell of root.querySelectorAll("[data-zone]")) {
      if (cell.dataset.zone !== here) cell.dataset.zone = here;
    }
  };

  heard(served);
  refresh(document);
  setInterval(() => { if (!document.hidden) refresh(document); }, 1000);
  document.addEventListener("visibilitychange", () => refresh(document));
  window.pomniTimes = { refresh, heard };
})();
