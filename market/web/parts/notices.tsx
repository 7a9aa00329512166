import { announcement, dismiss, notices } from "../state/notices.ts";
import { Icon } from "./icon.tsx";

/** Passing notices in the corner, and the live region that says them. */
export function Notices() {
  return (
    <>
      <p class="hidden" role="status" aria-live="polite">{announcement}</p>
      <div class="notices">
        {notices.value.map(({ id, kind, text, action }) => (
          <div class={`notice ${kind}`} key={id}>
            <p>{text}</p>
            {action && (
              <button
                type="button"
                class="notice-action"
                onClick={() => {
                  dismiss(id);
                  action.run();
                }}
              >
                {action.label}
              </button>
            )}
            <button
              type="button"
              aria-label="Dismiss"
              onClick={() => dismiss(id)}
            >
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
    </>
  );
}
