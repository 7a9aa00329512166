import { pageNumbers } from "../lib/query.ts";
import { Icon } from "./icon.tsx";

/** Links to the pages of a list. `href(page)` is where a page is. */
export function Pagination(
  props: { page: number; pages: number; href: (page: number) => string; what: string },
) {
  const { page, pages, href } = props;
  if (pages <= 1) return null;
  return (
    <nav class="pagination" aria-label={`Pages of ${props.what}`}>
      {page > 1 && (
        <a class="page" href={href(page - 1)} rel="prev" aria-label="Previous page">
          <Icon name="left" />
        </a>
      )}
      {pageNumbers(page, pages).map((number, index) =>
        number === 0 ? <span class="page" key={`gap-${index}`} aria-hidden="true">…</span> : (
          <a
            class="page"
            key={number}
            href={href(number)}
            aria-label={`Page ${number}`}
            aria-current={number === page ? "page" : undefined}
          >
            {number}
          </a>
        )
      )}
      {page < pages && (
        <a class="page" href={href(page + 1)} rel="next" aria-label="Next page">
          <Icon name="right" />
        </a>
      )}
    </nav>
  );
}
