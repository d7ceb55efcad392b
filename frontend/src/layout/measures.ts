/** How large a node is drawn; apart from the layout itself, so that the page needs it only in the worker. */
export const WIDTH = 190;
export const HEIGHT = 50;
