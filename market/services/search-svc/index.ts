import { SEARCH_WORDS } from "../../kit/limits.ts";
import type { Product } from "../../kit/product.ts";
import { isOneEdit, isPrefixWithOneEdit, wordsOf } from "./words.ts";

// Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond",
// 2009) in its fielded form: a word's frequency is the sum over the fields, each by its weight.

const K1 = 1.2;
const B = 0.5;

type Field = "name" | "brand" | "category" | "tags" | "description";
const FIELDS: readonly (readonly [Field, number, (product: Product) => string])[] = [
  ["name", 4, (each) => each.name],
  ["brand", 2.5, (each) => each.brand],
  ["tags", 2, (each) => each.tags.join(" ")],
  ["category", 1.5, (each) => `${each.category} ${each.subcategory}`],
  ["description", 1, (each) => each.description],
];

/** Words that say nothing about a product; they count only in a query of nothing else. */
const STOP_WORDS = new Set(
  "a an and are as at by for from in is it its of on or that the to with".split(" "),
);

/** What a term that is not the word itself counts. */
const PREFIX_WEIGHT = 0.7;
const TYPO_WEIGHT = 0.45;
/** Shorter words are looked up as they are: one edit turns them into anything. */
const TYPO_LETTERS = 4;

/** A product that answers a query. */
export interface Hit {
  readonly product: Product;
  readonly score: number;
}

export interface Answer {
  /** Best first. */
  readonly hits: readonly Hit[];
  /** The terms that matched: what to highlight. */
  readonly terms: ReadonlySet<string>;
  /** Words that matched nothing as typed, and what they were taken for. */
  readonly corrections: readonly { readonly from: string; readonly to: string }[];
}

export interface SearchIndex {
  search(query: string): Answer;
}

interface Posting {
  readonly at: number;
  readonly frequency: number;
}

interface Term {
  readonly postings: readonly Posting[];
  /** Inverse document frequency. */
  readonly idf: number;
}

/** Builds the index of some products (about 20 ms for 500). */
export function createSearchIndex(products: readonly Product[]): SearchIndex {
  const { terms, lengths, meanLength } = count(products);
  // Sorted, so that a prefix is a range and the answer does not depend on the order of insertion.
  const vocabulary = [...terms.keys()].sort();

  const expand = (word: string, last: boolean): Map<string, number> => {
    const found = new Map<string, number>();
    for (let at = lowerBound(vocabulary, word); vocabulary[at]?.startsWith(word); at++) {
      found.set(vocabulary[at]!, vocabulary[at] === word ? 1 : PREFIX_WEIGHT);
    }
    if (found.size > 0 || word.length < TYPO_LETTERS) return found;
    for (const term of vocabulary) if (isOneEdit(word, term)) found.set(term, TYPO_WEIGHT);
    if (found.size > 0 || !last) return found;
    for (const term of vocabulary) {
      if (isPrefixWithOneEdit(word, term)) found.set(term, TYPO_WEIGHT * PREFIX_WEIGHT);
    }
    return found;
  };

  const scoreWord = (expanded: ReadonlyMap<string, number>): Map<number, number> => {
    const scores = new Map<number, number>();
    for (const [word, weight] of expanded) {
      const { postings, idf } = terms.get(word)!;
      for (const { at, frequency } of postings) {
        const norm = K1 * (1 - B + B * lengths[at]! / meanLength);
        const score = weight * idf * frequency * (K1 + 1) / (frequency + norm);
        // The best reading of a word counts, not the sum of all its readings.
        scores.set(at, Math.max(scores.get(at) ?? 0, score));
      }
    }
    return scores;
  };

  return {
    search(query) {
      const words = meaningful(query);
      const expansions = words.map((word, at) => expand(word, at === words.length - 1));
      const perWord = expansions.map(scoreWord);
      const matched = combine(perWord);
      const hits = [...matched]
        .map(([at, score]) => ({ product: products[at]!, score: Math.round(score * 1e4) / 1e4 }))
        .sort((a, b) =>
          b.score - a.score || b.product.rating - a.product.rating || a.product.id - b.product.id
        );
      return {
        hits,
        terms: new Set(expansions.flatMap((each) => [...each.keys()])),
        corrections: words.flatMap((from, at) => correction(from, expansions[at]!, terms)),
      };
    },
  };
}

function meaningful(query: string): string[] {
  const words = [...new Set(wordsOf(query).map((each) => each.term))].slice(0, SEARCH_WORDS);
  const telling = words.filter((word) => !STOP_WORDS.has(word));
  return telling.length > 0 ? telling : words;
}

/** Products that have every word; when none has, those that have most of them. */
function combine(perWord: readonly ReadonlyMap<number, number>[]): Map<number, number> {
  const totals = new Map<number, { words: number; score: number }>();
  for (const scores of perWord) {
    for (const [at, score] of scores) {
      const total = totals.get(at) ?? { words: 0, score: 0 };
      totals.set(at, { words: total.words + 1, score: total.score + score });
    }
  }
  const most = Math.max(0, ...[...totals.values()].map((each) => each.words));
  const best = [...totals].filter(([, each]) => each.words === most);
  return new Map(best.map(([at, each]) => [at, each.score]));
}

/** The most common of the terms that a mistyped word was taken for. */
function correction(
  from: string,
  expanded: ReadonlyMap<string, number>,
  terms: ReadonlyMap<string, Term>,
): { from: string; to: string }[] {
  if (expanded.size === 0 || [...expanded.values()].some((weight) => weight >= PREFIX_WEIGHT)) {
    return [];
  }
  const popularity = (term: string) => terms.get(term)!.postings.length;
  const to = [...expanded.keys()].reduce((a, b) => popularity(b) > popularity(a) ? b : a);
  return [{ from, to }];
}

function count(products: readonly Product[]) {
  const frequencies = new Map<string, Map<number, number>>();
  const lengths = products.map((product, at) => {
    let length = 0;
    for (const [, weight, read] of FIELDS) {
      for (const { term } of wordsOf(read(product))) {
        let postings = frequencies.get(term);
        if (!postings) frequencies.set(term, postings = new Map());
        postings.set(at, (postings.get(at) ?? 0) + weight);
        length += weight;
      }
    }
    return length;
  });
  const terms = new Map<string, Term>();
  for (const [term, postings] of frequencies) {
    const found = postings.size;
    terms.set(term, {
      postings: [...postings].map(([at, frequency]) => ({ at, frequency })),
      idf: Math.log(1 + (products.length - found + 0.5) / (found + 0.5)),
    });
  }
  const meanLength = lengths.reduce((sum, each) => sum + each, 0) / Math.max(1, products.length);
  return { terms, lengths, meanLength };
}

/** Where the first entry stands that is not before `word`. */
function lowerBound(sorted: readonly string[], word: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < word) low = middle + 1;
    else high = middle;
  }
  return low;
}
