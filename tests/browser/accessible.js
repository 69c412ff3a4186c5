// What on the page keeps somebody from reading or using it: WCAG 2.2 AA contrast, names, labels, visible focus.
// Called by test_accessibility.py in the page; gives a list of sentences.
() => {
  const LARGE = 24, LARGE_BOLD = 18.66, BOLD = 700; // CSS pixels: 18 and 14 points
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const found = new Set();

  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const chain = (element) => {
    const all = [];
    for (let at = element; at; at = at.parentElement) all.unshift(at);
    return all;
  };
  const background = (element) => {
    let colour = parse("Canvas");
    for (const at of chain(element)) colour = over(parse(getComputedStyle(at).backgroundColor), colour);
    return colour;
  };
  const opacity = (element) => chain(element).reduce((whole, at) => whole * Number(getComputedStyle(at).opacity), 1);
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1 &&
      !element.closest(".visually-hidden, .skip:not(:focus)");
  };
  const named = (element) => {
    const id = element.id ? "#" + element.id : "";
    const words = (element.textContent || element.value || element.name || "").trim().slice(0, 40);
    return `<${element.tagName.toLowerCase()}${id} class="${element.className}"> ${JSON.stringify(words)}`;
  };
  const legible = (element, style, what) => {
    const under = background(element);
    const ink = parse(style.color);
    ink[3] *= opacity(element);
    const size = parseFloat(style.fontSize);
    const least = size >= LARGE || (size >= LARGE_BOLD && Number(style.fontWeight) >= BOLD) ? 3 : 4.5;
    const seen = ratio(over(ink, under), under);
    if (seen < least) found.add(`contrast ${seen.toFixed(2)} < ${least}: ${what} of ${named(element)}`);
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !visible(element) || element.closest(":disabled, option, noscript")) continue;
    legible(element, getComputedStyle(element), "text");
  }
  const controls = [...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter(visible);
  for (const control of controls) {
    const name = control.labels.length || control.ariaLabel || control.getAttribute("aria-labelledby") ||
      (control.type === "submit" && control.value);
    if (!name) found.add(`no label: ${named(control)}`);
    if (control.disabled) continue;
    legible(control, getComputedStyle(control), "value");
    if (control.type !== "checkbox" && control.type !== "radio") {
      const around = background(control.parentElement);
      const edges = [parse(getComputedStyle(control).borderTopColor), background(control)];
      const seen = Math.max(...edges.map((edge) => ratio(over(edge, around), around)));
      if (seen < 3) found.add(`edge ${seen.toFixed(2)} < 3: ${named(control)}`);
    }
    if (control.placeholder) legible(control, getComputedStyle(control, "::placeholder"), "placeholder");
  }
  for (const element of document.querySelectorAll("button, a[href], summary")) {
    const name = element.textContent.trim() || element.ariaLabel || element.title;
    if (visible(element) && !name) found.add(`no name: ${named(element)}`);
  }

  const look = (element) => {
    const style = getComputedStyle(element);
    return ["outlineStyle", "outlineWidth", "boxShadow", "borderColor", "backgroundColor"].map((name) => style[name]).join();
  };
  const focusable = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  for (const element of [...document.querySelectorAll(focusable)].filter((e) => visible(e) && !e.disabled)) {
    document.activeElement.blur();
    const before = look(element);
    element.focus({ preventScroll: true });
    if (document.activeElement !== element) continue;
    if (look(element) === before) found.add(`focus cannot be seen: ${named(element)}`);
  }
  document.activeElement.blur();

  if (!document.documentElement.lang) found.add("the page has no language");
  if (!document.title.trim()) found.add("the page has no title");
  if (!document.querySelector("h1")) found.add("the page has no heading");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) found.add(`the id ${id} stands twice`);
  return [...found];
}
