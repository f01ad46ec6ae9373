"""Languages that tree-sitter reads: modern code passes, broken code is named."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.gates.source.grammars import GRAMMARS
from minitask.spec.model import Spec

SPEC = Spec(path="mini-projects/p/01.md", number="1", title="Add a flag")

JAVASCRIPT = """\
#!/usr/bin/env node
import data from "./a.json" with { type: "json" };
import { "odd name" as odd } from "./b.js";
export { odd as default, catch_ as catch };
export * as all from "./c.js";
class A extends (B ?? C) {
  static #count = 0;
  static { A.#count ||= 1_000n; }
  get [Symbol.iterator]() { return this?.#x?.[0]?.(); }
  async *items({ a = 1, ...rest } = {}) { for await (const x of rest) yield* x; }
  has(k) { return #x in k; }
  #x = /[/(]\\/{2}(?<year>\\d+)/dgiu;
}
label: for (const [k, v] of Object.entries(data)) { if (k) continue label; }
const text = `a ${`b ${c}`} }`, f = async (a, b = {}) => ({ ...a, b });
const view = <><A.B {...rest} on={() => <p>it's {a && "(" }</p>} /> text ( </>;
try { await f(); } catch { import.meta.url; }
"""
TYPESCRIPT = """\
import type { A } from "./a";
export type * from "./b";
export { type B, c } from "./c";
enum Level { Low = 1, High = Low << 1 }
declare module "x" { const y: unique symbol; }
abstract class Store<in out T extends object = {}> implements I<T> {
  @log() declare readonly id: string;
  accessor value = 1;
  constructor(private readonly a: string, @Inject() b?: number) { super(); }
  abstract get<K extends keyof T>(key: K): T[K]
  <R>(x: R): R
}
type Route<P extends string> = P extends `${infer H}/${infer R}` ? [H, ...Route<R>] : { -readonly [K in P]?: never };
const config = { port: 1 } as const satisfies Config;
function assert(x: unknown): asserts x is string { if (a < b && c > (d)) return x!; }
function id<const T>(x: T): T { return <T>x; }
const rows = sql<{ n: number }>`SELECT ${a}`;
let m: typeof import("./m").default<string>;
using file = open();
"""
TSX = """\
type Props<T> = { items: readonly T[]; render: (item: T) => JSX.Element };
export const List = <T,>({ items, render }: Props<T>) => (
  <ul className="a">{items.map((item) => <li key={`${item}`}>{render(item)} don't :( </li>)}</ul>
);
"""
GO = """\
package main

import (
\t"fmt"
\tm "maps"
)

type Number interface{ ~int | ~float64 }

type Pair[K comparable, V any] struct {
\tKey K `json:"key"`
\tV   V
}

type Set[T comparable] = map[T]struct{}

func Map[T, U any](in []T, f func(T) U) (out []U) {
\tfor i := range 10 {
\t\tout = append(out, f(in[i]))
\t}
\treturn
}

func (p *Pair[K, V]) Each(yield func(K, V) bool) { _ = yield(p.Key, p.V) }

func main() {
\tdefer func() { recover() }()
\tx := []int{0b1010, 1_000, '\\''}
outer:
\tfor k := range m.Keys(map[string]int{"a": 1}) {
\t\tswitch y := any(k).(type) {
\t\tcase string, []byte:
\t\t\tfallthrough
\t\tdefault:
\t\t\tfmt.Println(y, Pair[string, int]{"a", 1}, min(x...))
\t\t\tcontinue outer
\t\t}
\t}
\tselect {
\tcase v, ok := <-make(chan int):
\t\t_, _ = v, ok
\t}
}
"""
RUST = """\
#![allow(unused)]
use std::{collections::HashMap as Map, fmt::{self, *}};

pub trait Source { type Item<'a> where Self: 'a; const N: usize = 3; async fn next(&mut self) -> Option<u8>; }

#[derive(Debug, Clone, PartialEq)]
pub enum Shape<T = f64, const N: usize = 2> { Dot, Line { from: [T; N], to: [T; N] }, Many(Vec<Self>) }

unsafe extern "C" { pub safe fn sqrt(x: f64) -> f64; }

fn parse<'a>(text: &'a str) -> Result<impl Iterator<Item = &'a str> + use<'a>, Box<dyn fmt::Display + Send>> {
    let Some((head, _)) = text.split_once(':') else { return Err("no".into()) };
    if let [first, .., last] = head.as_bytes() && first != last && let Ok(n) = head.parse::<u8>() { drop(n); }
    let (x @ 0..=9 | x @ 20..) = 5u8 else { panic!("{x:?} {0}", 1) };
    let raw_text = r#"a "quoted" ( text"#;
    let f = async move |a: &u8| -> u8 { *a };
    let c = c"bytes"; let b = b'\\''; let life = 'outer: loop { break 'outer 1 };
    match (x, head) { (1 | 2, "a") if x > 1 => {} (n, _) => { let _ = n as usize; } }
    let total: i32 = (0..10).map(|i| i << 1).filter(|&i| i < 5 && i > 2).sum::<i32>();
    let p = &raw const total;
    Ok(text.split(','))
}

macro_rules! all { ($($x:expr),* $(,)?) => { [$($x),*] }; (~ $y:ident) => { $y } }
"""
JAVA = """\
package a.b;

import module java.base;
import static java.util.Map.*;

@SuppressWarnings("unchecked")
public sealed interface Shape<T extends Comparable<? super T>> permits Shape.Dot, Shape.Line {
    record Dot<T extends Comparable<? super T>>(@Deprecated int x, int... y) implements Shape<T> {
        public Dot { if (x < 0) throw new IllegalArgumentException(); }
    }
    non-sealed class Line<T extends Comparable<? super T>> implements Shape<T> {}
    enum Level { LOW { @Override int n() { return 1; } }, HIGH; int n() { return 2; } }
    static String f(Object o) { return "" + o; }
    default String text(Object o) {
        var text = \"\"\"
            a "quoted" ( text \\
            \"\"\";
        if (o instanceof String s && !s.isEmpty()) return s;
        for (int i = 0, n = 3; i < n; i++) { int[][] grid = new int[2][]; grid[0] = new int[] {1, 2}; }
        try (var in = new java.io.StringReader(text)) { synchronized (this) { } }
        catch (IllegalStateException | IllegalArgumentException _) { }
        return switch (o) {
            case null -> "none";
            case Dot(int x, int[] _) when x > 1 -> "dot";
            case Integer i when i > 1 -> { yield "many"; }
            case String _, Long _ -> "other";
            case Shape.Dot(var x, var y) -> "qualified";
            default -> switch (1) { case 1, 2: yield "a"; default: yield f((Runnable) () -> {}); };
        };
    }
}
"""
VALID = {
    "a.js": JAVASCRIPT,
    "a.mjs": JAVASCRIPT,
    "a.cjs": "'use strict';\nmodule.exports = { a: require('a'), 'b-c': /[)]/ };\n",
    "a.jsx": "export default () => <A b={1}>it's {x}</A>;\n",
    "text.jsx": "export default () => (\n  <p>\n    Drag & drop\n  </p>\n);\nconst b = <A>&nbsp;C & D {x}</A>;\n",
    "flow.js": "// @flow\nfunction f(x: ?number): void { (x: any); }\n",
    "a.ts": TYPESCRIPT,
    "a.mts": "export const a: number = 1\n",
    "a.d.ts": "export declare const a: import('./b').C<\n  string>;\n",
    "a.tsx": TSX,
    "a.go": GO,
    "a.rs": RUST,
    "A.java": JAVA,
    "Main.java": "void main() { IO.println(1); }\n",
}


def lint(path: str, content: str, base: str | None = None) -> str:
    """The reason of the ruling on one file; empty where it passed."""
    return check_lint([Change(path, content)], read={path: base}.get, spec=SPEC).reason


@pytest.mark.parametrize("path", VALID)
def test_modern_code_passes(path: str) -> None:
    assert not lint(path, VALID[path])


BEYOND = (
    *("catch_ as catch", "macro_rules!", "String _, Long _", "Shape.Dot(var"),
    *("_) {", "int[] _", "safe fn", "import module"),
)


@pytest.mark.parametrize("path", ["a.js", "a.go", "a.rs", "A.java"])
def test_all_but_a_few_forms_is_read_to_the_letter(path: str) -> None:
    kept = [line for line in VALID[path].splitlines() if not any(form in line for form in BEYOND)]
    text = "\n".join(kept)
    gaps = GRAMMARS[PurePosixPath(path).suffix].gaps
    assert gaps is None or not gaps.search(text)
    assert not lint(path, text)


@pytest.mark.parametrize("path", ["a.js", "a.ts", "a.tsx", "a.go", "a.rs", "A.java"])
def test_code_that_is_cut_off_fails(path: str) -> None:
    text = VALID[path]
    cut = text[: text.rindex("(")] + "(\n"
    assert f"{path}:" in lint(path, cut)


INVALID = [
    ("a.js", "let a = 1;\nfunction f( {\n", "a.js:2: not valid JavaScript: "),
    ("a.js", "let a = 1;\nlet b = = 2;\n", "a.js:2: "),
    ("a.js", "if (a) {\n  b();\n", 'a.js:2: not valid JavaScript: the "{" in line 1 is never closed'),
    ("a.js", "Here is the code:\nlet a = 1;\n", "a.js:1: "),
    ("a.jsx", "let a = <p>{x</p>;\n", "a.jsx:1: "),
    ("a.ts", "let a: number = 1;\nfunction f(a: string {\n}\n", "a.ts:2: not valid TypeScript: "),
    ("a.ts", "class A {\n  b() {\n    return 1;\n}\n", 'a.ts:4: not valid TypeScript: the "{" in'),
    ("a.ts", "export function f(\n  return null;\n): void {\n  g();\n}\n", "a.ts:2: not valid TypeScript: "),
    ("a.ts", "type A = { b: string;;\n  c number }\n", "a.ts:"),
    ("a.tsx", "let a = <p>{x</p>;\n", "a.tsx:1: "),
    ("a.ts", "export type * from './a';\nf(1));\n", 'a.ts:2: not valid TypeScript: the ")" in'),
    ("a.tsx", "const a = (\n  <p>{b}</p>\n;\n", "a.tsx:2: "),
    ("a.go", "package a\n\nfunc f( {\n}\n", "a.go:3: not valid Go: "),
    ("a.go", "package a\n\nfunc f() {\n\treturn 1 +\n}\n", "a.go:"),
    ("a.rs", "fn f() {\n    let x = 1\n    let y = 2;\n}\n", 'a.rs:2: not valid Rust: ";" is missing'),
    ("a.rs", "macro_rules! a { () => {} }\nfn f() {\n", "a.rs:2: "),
    ("A.java", "class A {\n    int f() { return 1 }\n}\n", 'A.java:2: not valid Java: ";" is missing'),
    ("A.java", "class A {\n    int f() { return 1;\n}\n", "A.java:"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "content", "start"), INVALID)
def test_broken_code_is_named(path: str, content: str, start: str) -> None:
    reason = lint(path, content)
    assert reason.startswith(start)
    assert "\n" not in reason


@pytest.mark.parametrize(("path", "content", "start"), INVALID)
def test_what_was_broken_in_the_base_is_not_judged(path: str, content: str, start: str) -> None:
    assert not lint(path, content, content + "\n")
    assert lint(path, content, VALID[path])


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.js", 'import defer * as a from "a";\n'),
        ("a.js", "class A { @log() accessor x = 1; }\n"),
        ("a.js", "const a = String.raw`\\u`;\n"),
        ("a.ts", "export interface A<in out T, out U> { b: T }\n"),
        ("a.ts", "export type * from './a';\n"),
        ("a.ts", "const a = await b<typeof import('c')>();\n"),
        ("a.ts", "interface A {\n  (a: string): B\n  <T>(a: T): C\n}\n"),
        ("a.ts", "type A = ['b'?, 'c'?];\n"),
        ("a.ts", "abstract class A { protected abstract override b: C; }\n"),
        ("a.ts", "const a = sql<{ b: number }>`SELECT 1`;\n"),
        ("a.tsx", 'const a = <a href="/?b=1&c=2">d</a>;\n'),
        ("a.go", "package a\n\nfunc f() *int { return new(123) }\n"),
        ("a.go", "package a\n\nconst (A = 1; B = 2)\n"),
        ("a.rs", "impl<const N: usize> A<N> where [(); N]:, {}\n"),
        ("a.rs", "impl<T> !Send for A<T> {}\n"),
        ("A.java", "class A { A(int x) { if (x < 0) throw new E(); super(x); } }\n"),
    ],
)
def test_forms_beyond_a_grammar_are_held_to_their_brackets(path: str, content: str) -> None:
    assert not lint(path, content)
    assert "never closed" in lint(path, content + "{\n")


@pytest.mark.parametrize("mark", ["{% if a %}", "<% b %>", "<?php"])
def test_marks_of_templates_in_a_valid_base_excuse_no_error(mark: str) -> None:
    base = f'def f():\n    """Render `{mark}`."""\n    return 1\n'
    assert "not valid Python" in lint("a.py", base.replace("return 1", "return 1 +"), base)
    assert not lint("a.py", f"{base}{mark}\n", "def f():\n    return 1\n")


def test_a_form_that_the_base_has_excuses_no_error_elsewhere() -> None:
    base = "const a = { in: 1 };\nlet b = 1;\n"
    assert not lint("a.ts", base.replace("b = 1", "b = 2"), base)
    assert not lint("a.ts", base.replace("b = 1", "b = c<typeof import('d')>()"), base)
    assert "not valid TypeScript" in lint("a.ts", base.replace("b = 1", "b = = 1"), base)
    assert not lint("a.ts", base.replace("b = 1", "b = = 1"))


def test_a_part_that_another_file_includes_is_no_broken_file() -> None:
    assert not lint("part.rs", "// Made by a script.\nstore.register(1, vec![\n    A,\n])\n")


def test_c_and_other_shells_are_left_to_their_own_programs() -> None:
    for path in ("a.zsh", "a.fish", "a.c", "a.h"):
        assert not lint(path, "if (((\n")


def test_a_page_of_control_characters_is_named_in_plain_text() -> None:
    reason = lint("a.js", "let a = \x1b[31m \udcff '\u202e;\n" * 3)
    assert reason
    assert reason.isprintable()
    assert len(reason) < 400
