import { Empty, type PageProps, useTitle } from "../parts/page.tsx";

export default function NotFound(_: PageProps) {
  useTitle("Nothing here");
  return (
    <div class="page">
      <Empty
        page
        title="This aisle does not exist"
        text="The address may be mistyped, or the page has moved on."
      >
        <a class="button" href="/">To the front door</a>
      </Empty>
    </div>
  );
}
