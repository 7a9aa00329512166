// What nearly every page uses, imported by the entry and (through page.tsx) by every page: the
// bundler then puts it into one file instead of a dozen small ones, which compresses better and
// is fetched at once.

import "../api.ts";
import "../lib/cart.ts";
import "../lib/money.ts";
import "../lib/query.ts";
import "../state/cart.ts";
import "../state/navigation.ts";
import "../state/notices.ts";
import "../state/session.ts";
import "../state/storage.ts";
import "./card.tsx";
import "./icon.tsx";
import "./rating.tsx";
import "./resource.tsx";
