// The shop front's entry.

import "./parts/page.tsx";
import { render } from "preact";
import { Footer } from "./parts/footer.tsx";
import { Header } from "./parts/header.tsx";
import { Notices } from "./parts/notices.tsx";
import { Outlet } from "./parts/outlet.tsx";
import { loadCart } from "./state/cart.ts";

function Shop() {
  return (
    <>
      <a class="skip" href="#main">Skip to content</a>
      <Header />
      <Outlet />
      <Footer />
      <Notices />
    </>
  );
}

const root = document.getElementById("shop");
if (!root) throw new Error("index.html has no #shop");
render(<Shop />, root);
loadCart();
