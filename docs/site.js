// The theme gives its dialog of the search no name for screen readers.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");

// A table that is wider than the screen scrolls by itself: by the keyboard too. The theme wraps tables when it likes.
const letTablesScroll = () => {
  for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    wrap.tabIndex = 0;
    wrap.setAttribute("role", "region");
    wrap.setAttribute("aria-label", "Table");
  }
};
letTablesScroll();
new MutationObserver(letTablesScroll).observe(document.body, { childList: true, subtree: true });
