"use strict";
// The filter of clusters: without scripts all of them are there, least certain first.
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const list = document.getElementById("cluster-list");
  const said = document.getElementById("filter-status");
  const cards = Array.from(list.children);
  const texts = new Map(cards.map((card) => [card, wordsOf(card)]));

  function wordsOf(card) {
    const parts = Array.from(card.querySelectorAll("[data-text]"), (one) => one.dataset.text);
    return [card.querySelector("h3").textContent, ...parts].join("; ").toLowerCase() + ";";
  }

  // A number that ends a word of the filter is that number: "person 7" is not person 70.
  function matches(text, wanted) {
    if (!/\d$/.test(wanted)) return text.includes(wanted);
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
      if (!/\d/.test(text[at + wanted.length] || "")) return true;
    }
    return false;
  }

  function fits(card) {
    const { least, mixed, text } = form.elements;
    if (Number(card.dataset.size) < Number(least.value || 0)) return false;
    const purity = card.dataset.purity === "" ? null : Number(card.dataset.purity);
    if (mixed && mixed.value === "mixed" && !(purity !== null && purity < 1)) return false;
    if (mixed && mixed.value === "pure" && purity !== 1) return false;
    const wanted = text.value.trim().toLowerCase();
    return wanted === "" || matches(texts.get(card), wanted);
  }

  function apply() {
    const order = form.elements.order.value;
    const sign = order.startsWith("-") ? -1 : 1;
    const key = order.replace("-", "");
    const of = (card) => (card.dataset[key] === "" ? Infinity : sign * Number(card.dataset[key]));
    const places = new Map(cards.map((card, place) => [card, place]));
    const sorted = [...cards].sort((a, b) => of(a) - of(b) || places.get(a) - places.get(b));
    let shown = 0;
    for (const card of sorted) {
      card.hidden = !fits(card);
      shown += card.hidden ? 0 : 1;
      list.append(card);
    }
    said.textContent = `${shown} of ${cards.length} clusters are shown.`;
  }

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
