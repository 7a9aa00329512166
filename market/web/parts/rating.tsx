/** Stars for a rating between 0 and 5, said in words to screen readers. */
export function Rating(props: { value: number; count?: number }) {
  const { value, count } = props;
  const shown = value.toFixed(1);
  const counted = count === undefined ? "" : `, ${count} ${count === 1 ? "rating" : "ratings"}`;
  return (
    <span class="rating">
      <span class="hidden">{`Rated ${shown} of 5${counted}`}</span>
      <span class="stars" aria-hidden="true">
        ★★★★★
        <span class="stars-on" style={{ width: `${value * 20}%` }}>★★★★★</span>
      </span>
      <span class="rating-text" aria-hidden="true">
        {shown}
        {count !== undefined && <span class="rating-count">({count.toLocaleString("en-US")})</span>}
      </span>
    </span>
  );
}
