import { user } from "../state/session.ts";
import { Mark } from "./header.tsx";

export function Footer() {
  return (
    <footer class="footer">
      <div class="footer-grid">
        <div>
          <p class="footer-logo">
            <Mark />SovereignMarket
          </p>
          <p>
            Well-made goods, sold from machines we own. No trackers, no third parties: nothing on
            this page was fetched from anywhere but here.
          </p>
        </div>
        <nav aria-label="Shop">
          <h2>Shop</h2>
          <ul>
            <li>
              <a href="/catalog">All goods</a>
            </li>
            <li>
              <a href="/catalog?featured=true">Featured</a>
            </li>
            <li>
              <a href="/catalog?sort=rating">Best rated</a>
            </li>
          </ul>
        </nav>
        <nav aria-label="You">
          <h2>You</h2>
          <ul>
            <li>
              <a href="/cart">Cart</a>
            </li>
            <li>
              <a href="/orders">Orders</a>
            </li>
            {!user.value && (
              <li>
                <a href="/sign-in">Sign in</a>
              </li>
            )}
          </ul>
        </nav>
        <div>
          <h2>Promises</h2>
          <ul>
            <li>Free standard shipping from $50</li>
            <li>Reviews marked by who really bought</li>
            <li>Prices include no surprises</li>
          </ul>
        </div>
      </div>
      <p class="footer-end">
        SovereignMarket is the demonstration shop of skr8tr. No money changes hands.
      </p>
    </footer>
  );
}
