// What the whole cluster writes, searched by words.

import { useState } from "preact/hooks";
import { Logs } from "../parts/logs.tsx";
import { parameter, SearchForm } from "../parts/search.tsx";

/** @param grep what is sought at first */
export function LogsPage({ grep = "" }: { readonly grep?: string | undefined }) {
  const [query, ask] = useState(parameter("grep", grep));
  return (
    <div class="tall">
      <h1>Logs</h1>
      <SearchForm fields={[["grep", "Text", grep], ["app", "App"]]} button="Search" search={ask} />
      <Logs title="All apps" url={`/api/telemetry?lines=300&follow=1${query}`} />
    </div>
  );
}
