// The theme gives its dialog of the search no name for screen readers.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
