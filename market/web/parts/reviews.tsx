// A product's reviews: how they are spread, what they say, and a form for one's own.

import { useRef, useState } from "preact/hooks";
import { ApiError, postReview, reads } from "../api.ts";
import type { Review, ReviewList } from "../api_types.ts";
import { day } from "../lib/day.ts";
import { withQuery } from "../lib/query.ts";
import { notify } from "../state/notices.ts";
import { place } from "../state/navigation.ts";
import { signOut, user } from "../state/session.ts";
import { Field } from "./field.tsx";
import { Icon } from "./icon.tsx";
import { Rating } from "./rating.tsx";
import { Bones, Loaded, useRead } from "./resource.tsx";

const SORTS = { newest: "Newest", highest: "Highest", lowest: "Lowest" } as const;
type Sort = keyof typeof SORTS;

export function Reviews(props: { productId: number; productName: string }) {
  const [page, setPage] = useState(1);
  const [sort, setSort] = useState<Sort>("newest");
  const reviews = useRead(reads.reviews(props.productId, page, sort));
  const posted = () => {
    setPage(1);
    setSort("newest");
    reviews.retry();
  };
  return (
    <section class="block reviews" id="reviews" aria-labelledby="reviews-title">
      <div class="block-head">
        <h2 id="reviews-title">What buyers say</h2>
        <label class="sort">
          <span>Sort by</span>
          <select
            value={sort}
            onChange={(event) => {
              setSort(event.currentTarget.value as Sort);
              setPage(1);
            }}
          >
            {Object.entries(SORTS).map(([id, name]) => <option key={id} value={id}>{name}</option>)}
          </select>
        </label>
      </div>
      <div class="reviews-split">
        <Loaded of={reviews} what="Reviews" skeleton={<Bones lines={6} />}>
          {(list) =>
            list.review_count === 0 ? <Unwritten /> : (
              <div class="reviews-body">
                <Distribution list={list} />
                <Entries list={list} go={setPage} />
              </div>
            )}
        </Loaded>
        <Own productId={props.productId} productName={props.productName} posted={posted} />
      </div>
    </section>
  );
}

/** Stars are given quickly, words are not: a product may well be rated and not yet described. */
function Unwritten() {
  return (
    <div class="unwritten">
      <h3>No words yet, only stars.</h3>
      <p class="hint">Nobody has written about this so far. Yours would be the first review.</p>
    </div>
  );
}

function Distribution(props: { list: ReviewList }) {
  const { distribution, average_rating, review_count } = props.list;
  return (
    <div class="spread">
      <p class="spread-average">{average_rating?.toFixed(1) ?? "–"}</p>
      {average_rating !== null && <Rating value={average_rating} />}
      <p class="hint">{review_count} written {review_count === 1 ? "review" : "reviews"}</p>
      <ul class="bars">
        {(["5", "4", "3", "2", "1"] as const).map((stars) => (
          <li key={stars}>
            <span class="hidden">{`${stars} stars: ${distribution[stars]} reviews`}</span>
            <span aria-hidden="true">{stars} ★</span>
            <meter
              aria-hidden="true"
              min={0}
              max={Math.max(1, review_count)}
              value={distribution[stars]}
            />
            <span aria-hidden="true">{distribution[stars]}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Entries(props: { list: ReviewList; go: (page: number) => void }) {
  const { list } = props;
  return (
    <div>
      <ul class="entries">
        {list.items.map((review) => <Entry key={review.id} review={review} />)}
      </ul>
      {list.total_pages > 1 && (
        <div class="entries-pages">
          <button
            type="button"
            class="button quiet small"
            disabled={list.page <= 1}
            onClick={() => props.go(list.page - 1)}
          >
            Newer
          </button>
          <span>{`${list.page} of ${list.total_pages}`}</span>
          <button
            type="button"
            class="button quiet small"
            disabled={list.page >= list.total_pages}
            onClick={() => props.go(list.page + 1)}
          >
            More
          </button>
        </div>
      )}
    </div>
  );
}

function Entry({ review }: { review: Review }) {
  return (
    <li class="entry">
      <Rating value={review.rating} />
      <h3>{review.title}</h3>
      <p class="entry-body">{review.body}</p>
      <p class="entry-who">
        {review.author} · <time dateTime={review.created_at}>{day(review.created_at)}</time>
        {review?.verified && (
          <span class="verified">
            <Icon name="check" />Verified buyer
          </span>
        )}
      </p>
    </li>
  );
}

function Own(props: { productId: number; productName: string; posted: () => void }) {
  if (!user.value) {
    return (
      <div class="panel">
        <h3>Bought it? Say how it is.</h3>
        <p class="hint">Reviews by people who bought here carry a mark.</p>
        <a class="button quiet" href={withQuery("/sign-in", { next: place.value.path })}>
          Sign in to review
        </a>
      </div>
    );
  }
  return <ReviewForm {...props} />;
}

const WORDS = ["", "Poor", "Meh", "Fine", "Good", "Excellent"];

function ReviewForm(props: { productId: number; productName: string; posted: () => void }) {
  const [rating, setRating] = useState(0);
  const [title, setTitle] = useState("");
  const [body, setBody] = useState("");
  const [wrong, setWrong] = useState<{ field?: string; text: string }>();
  const [state, setState] = useState<"writing" | "sending" | "sent">("writing");
  const form = useRef<HTMLFormElement>(null);

  if (state === "sent") {
    return (
      <div class="panel" role="status">
        <h3>Thank you.</h3>
        <p class="hint">Your review stands with the others.</p>
      </div>
    );
  }
  const send = async () => {
    if (rating === 0) return setWrong({ field: "rating", text: "Choose one to five stars." });
    setState("sending");
    setWrong(undefined);
    try {
      const review = await postReview(props.productId, {
        rating,
        title: title.trim(),
        body: body.trim(),
      });
      setState("sent");
      notify(
        "done",
        review?.verified
          ? "Your review is published, marked as verified."
          : "Your review is published.",
      );
      props.posted();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setState("writing");
      if (error.code === "signed_out") signOut();
      setWrong({
        field: error.field,
        text: error.code === "conflict" ? "You have already reviewed this." : error.message,
      });
    }
  };
  const at = (field: string) => wrong?.field === field ? wrong.text : undefined;
  return (
    <form
      class="panel review-form"
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <h3>Your review</h3>
      <fieldset class="star-input" aria-describedby="rating-error">
        <legend>Rating</legend>
        {[1, 2, 3, 4, 5].map((stars) => (
          <label key={stars} class={stars <= rating ? "on" : ""}>
            <input
              type="radio"
              name="rating"
              value={stars}
              checked={stars === rating}
              onChange={() => setRating(stars)}
            />
            <span class="hidden">
              {`${stars} ${stars === 1 ? "star" : "stars"}, ${WORDS[stars]}`}
            </span>
            <span aria-hidden="true">★</span>
          </label>
        ))}
        <span class="star-word" aria-hidden="true">{WORDS[rating]}</span>
      </fieldset>
      <p class="field-error" id="rating-error">{at("rating")}</p>
      <Field
        label="Headline"
        name="title"
        value={title}
        onInput={setTitle}
        error={at("title")}
        maxLength={120}
      />
      <div class="field">
        <label for="review-body">Your words</label>
        <textarea
          id="review-body"
          name="body"
          rows={4}
          required
          maxLength={4000}
          value={body}
          aria-invalid={at("body") ? "true" : undefined}
          onInput={(event) => setBody(event.currentTarget.value)}
        />
        {at("body") && <p class="field-error">{at("body")}</p>}
      </div>
      {wrong && !["rating", "title", "body"].includes(wrong.field ?? "") && (
        <p class="field-error" role="alert">{wrong.text}</p>
      )}
      <button type="submit" class="button" disabled={state === "sending"}>
        {state === "sending" ? "Publishing…" : "Publish review"}
      </button>
    </form>
  );
}
