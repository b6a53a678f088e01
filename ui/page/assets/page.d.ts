// What the page's scripts may count on beside the browser's own: `make check` reads it, no browser.

interface Window {
  /** What Gradio calls of ours: each gives a request as JSON. */
  pilcrow: Record<string, (question?: string) => string>;
  /** What we call of the server's, through Gradio. */
  pilcrowApi: { ask(request: object): Promise<any> };
}

// All that we look for in the page are elements of HTML.
interface ParentNode {
  querySelector(selectors: string): HTMLElement | null;
  querySelectorAll(selectors: string): NodeListOf<HTMLElement>;
}
interface Element {
  closest(selectors: string): HTMLElement | null;
}
