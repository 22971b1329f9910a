import TesseraRetrieval
import Testing

@Suite("Filters in words")
struct VectorFilterTests {
  @Test(
    "mean what they say",
    arguments: [
      (
        #"language = "hi" and size > 100"#,
        .all([.equals("language", "hi"), .compares("size", .greater, 100)])
      ),
      (
        "a = 1 or b = 2 and c = 3",
        .any([.equals("a", 1), .all([.equals("b", 2), .equals("c", 3)])])
      ),
      (
        "(a = 1 or b = 2) and c = 3",
        .all([.any([.equals("a", 1), .equals("b", 2)]), .equals("c", 3)])
      ),
      ("not a = true", .not(.equals("a", true))),
      ("a != 'x'", .not(.equals("a", "x"))),
      ("size in 10..20", .isIn("size", 10...20)),
      ("size in -1.5..2e3", .isIn("size", -1.5...2000)),
      (#"tag in ("a", 2, false)"#, .isIn("tag", ["a", 2, false])),
      (#"id prefix "birds/""#, .hasPrefix("id", "birds/")),
      (#"path glob "birds/**/*.png""#, .matches("path", PathGlob("birds/**/*.png"))),
      ("HAS date AND NOT has `not`", .all([.has("date"), .not(.has("not"))])),
      (#"`a \`b` = "say \"x\" \\""#, .equals("a `b", #"say "x" \"#)),
      ("größe >= 3", .compares("größe", .atLeast, 3)),
      ("true", .all([])), ("false", .any([])),
    ] as [(String, VectorFilter)]
  )
  func parsing(text: String, filter: VectorFilter) throws {
    #expect(try VectorFilter(text) == filter)
    // And what they are written as is read as the same.
    #expect(try VectorFilter("\(filter)") == filter)
  }

  @Test(
    "that cannot be understood show the place",
    arguments: [
      ("", 1, "name"), ("language = ", 12, "text in quotes"),
      ("language = hi", 12, "text in quotes"),
      ("language \"hi\"", 10, "'='"), ("a = 1 b = 2", 7, "'and'"), ("(a = 1", 7, "')'"),
      ("a = \"x", 5, "not closed"), ("a ! 1", 3, "'!='"), ("a = 1 and", 10, "name"),
      ("a = 12x", 5, "no number"),
      ("a in 3..1", 6, "downwards"), ("a in 3", 7, "'..'"), ("a in (1, )", 10, "text in quotes"),
      ("a > true", 5, "order"), ("a = 1 && b = 2", 7, "no meaning"), ("and = 1", 1, "name"),
      ("a glob 3", 8, "text in quotes"), ("a = 1e999", 5, "no number"),
    ]
  )
  func errors(text: String, place: Int, reason: String) {
    let error = #expect(throws: RetrievalError.self) { try VectorFilter(text) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("at character \(place):") == true, "\(error?.message ?? "")")
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    // The mark stands under the place.
    let mark = error?.message.split(separator: "\n").last
    #expect(mark?.count == 2 + place && mark?.last == "^")
  }

  @Test("that are nested without end are refused")
  func nesting() {
    for text in [
      String(repeating: "(", count: 100_000), String(repeating: "not ", count: 100_000) + "a = 1",
    ] { #expect(throws: RetrievalError.self) { try VectorFilter(text) } }
  }

  @Test(
    "globs stop at slashes, unless they are double",
    arguments: [
      ("*.png", "a.png", true), ("*.png", "b/a.png", false), ("**.png", "b/a.png", true),
      ("b/*/c", "b/x/c", true), ("b/*/c", "b/x/y/c", false), ("b/**/c", "b/x/y/c", true),
      ("b/**", "b/", true),
      ("?.png", "é.png", true), ("?.png", "/.png", false), ("\\*", "*", true), ("\\*", "a", false),
      ("", "", true),
      ("", "a", false), ("a*b*c", "axbxxc", true), ("a*b*c", "axbxx", false), ("***", "a/b", true),
    ]
  )
  func globs(pattern: String, path: String, matches: Bool) {
    #expect(PathGlob(pattern).matches(path) == matches)
  }

  @Test("a pattern of many stars takes no time", .timeLimit(.minutes(20)))
  func manyStars() {
    let glob = PathGlob(String(repeating: "*a", count: 60))
    #expect(!glob.matches(String(repeating: "a", count: 2000) + "b"))
  }
}
