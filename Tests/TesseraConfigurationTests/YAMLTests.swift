import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraCore
import TesseraTesting
import Testing

@Suite struct YAMLTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func problem(_ text: String) -> String? {
    problem(Array(text.utf8))
  }

  private func problem(_ bytes: [UInt8]) -> String? {
    let error = #expect(throws: ConfigurationError.self) {
      let path = try folder.file("job.yaml", bytes)
      _ = try ConfigurationFile(contentsOf: path).decode { _ in }
    }
    #expect(error?.problems.count == 1)
    return error?.description.replacing("\(folder.path)/", with: "")
  }

  @Test(arguments: [
    ("a: 1\n b: 2", "job.yaml:2:3: is not YAML: mapping values are not allowed"),
    ("a: [1", "is not YAML: while parsing a flow sequence"), ("a: 'x", "job.yaml:1:6: is not YAML"),
    ("a: \"\\q\"", "is not YAML"), ("a: \u{1}", "job.yaml:1:4: is not YAML: control characters"),
    ("b: 1\nü: \u{7f}x", "job.yaml:2:4: is not YAML: control characters"),
    ("a: 1\nb: 2\na: 3", "has the key 'a' twice"), ("a: 1\n'a': 2", "has the key 'a' twice"),
    ("a: {b*c: 1, b*c: 2}", "has the key 'b*c' twice"), ("1: 1\n'1': 2", "has the key '1' twice"),
    ("!!int 1: 1\n'1': 2", "job.yaml:2:1: has the key '1' twice"),
    ("a: 1\n---\nb: 2", "job.yaml:2:1: holds more than one document"),
    ("a: !!python/object:os.system x", "has the tag 'tag:yaml.org,2002:python/object:os.system'"),
    ("a: !local [1]", "job.yaml:1:4: has the tag '!local'"), ("a: !!binary aGk=", "has the tag"),
    ("a: ! 1", "has the tag '!'"), ("!!set {a, b}", "has the tag"), ("!t a: 1", "has the tag '!t'"),
    ("a:\n\tb: 1", "job.yaml:2:1: has a tab"), ("a: 1\t# b", "job.yaml:1:5: has a tab"),
    ("a: &x {b: 1}\nc:\n  <<: *x", "job.yaml:3:3: has a merge key"),
    ("a: \u{E000}b", "job.yaml:1:4: has the private character"),
    ("[a, b]: 1", "job.yaml:1:1: has a key that is not a name"),
    ("? \n: 1", "has a key that is not a name"),
    ("? {a: b}\n: 1", "has a key that is not a name"), ("- a", "must be a mapping, not a list"),
    ("text", "must be a mapping, not text"), ("a: *b", "job.yaml:1:4: has no anchor 'b'"),
    ("a: &b [*b]", "job.yaml:1:8: has no anchor 'b'"),
    ("a: &b 1\nc: *b d", "something follows an alias"),
    ("a: &b [1]\n*b : 2", "has a key that is not a name"), ("a: &b c\nd: * b", "is not YAML"),
  ])
  func whatConfigurationsDoWithoutIsRefused(_ text: String, _ message: String) {
    let problem = problem(text)
    #expect(problem?.contains(message) == true, "\(problem ?? "")")
  }

  @Test func whatIsNotTextIsRefused() {
    #expect(problem([0x61, 0x3A, 0x0A, 0x62, 0xFF]) == "job.yaml:2:1: is not UTF-8")
    #expect(problem(Array("a: 1".data(using: .utf16) ?? Data()))?.contains("is not UTF-8") == true)
    #expect(problem("a: \0")?.contains("is not YAML") == true)
    let large = "a: \(String(repeating: "x", count: 1 << 20))"
    #expect(problem(large) == "job.yaml: is larger than a mebibyte")
    #expect(throws: Never.self) {
      let text = "\u{FEFF}a: \(String(repeating: "x", count: (1 << 20) - 10))\r\n"
      try ConfigurationFile(text: text, path: "job.yaml").decode { _ = try $0.required("a", .text) }
    }
  }

  @Test func filesThatCannotBeReadAreNamed() throws {
    for (path, reason) in [
      (folder.path.appending("none.yaml"), "cannot be read"), (folder.path, "cannot be read"),
      (FilePath("/dev/zero"), "is larger than a mebibyte"),
    ] {
      let error = #expect(throws: ConfigurationError.self) {
        try ConfigurationFile(contentsOf: path)
      }
      #expect(error?.problems.map(\.code) == [.unreadable])
      #expect(error?.description.hasPrefix("\(path): \(reason)") == true)
    }
  }

  @Test func deepNestingIsRefusedInEveryStyle() {
    for depth in [70, 999, 1001, 100_000] {
      let ways = [
        String(repeating: "[", count: depth), String(repeating: "{a: ", count: depth),
        String(repeating: "- ", count: depth) + "a", String(repeating: "? ", count: depth) + "a",
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth),
        "a: " + String(repeating: "{a: ", count: depth) + String(repeating: "}", count: depth),
      ]
      for text in ways { #expect(problem(text)?.isEmpty == false) }
    }
    let nested = "a: " + String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
    #expect(problem(nested)?.contains("is nested more than 64 deep") == true)
  }

  @Test func aliasesThatStandForTooMuchAreRefused() {
    func doubling(_ first: String, _ separator: String = ", ") -> String {
      (1...30).reduce("a0: &a0 \(first)\n") { text, level in
        let one = "*a\(level - 1)"
        return text + "a\(level): &a\(level) [\(one)\(separator)\(one)]\n"
      }
    }
    let tooMuch = "holds more than 100000 values or 4 MiB of text"
    #expect(problem(doubling("x"))?.contains(tooMuch) == true)
    let long = String(repeating: "x", count: 500_000)
    #expect(
      problem("a: &a \(long)\nb: [\(String(repeating: "*a,", count: 20))]")?.contains(tooMuch)
        == true
    )
    // As keys, the parser would compare them.
    let keys = doubling("x") + "b: {*a30 : 1, ? [*a30] : 2}"
    #expect(problem(keys)?.contains(tooMuch) == true)
    // Each on its own is within the limit of depth.
    let chain = (1...40).reduce("a0: &a0 [[x]]\n") { "\($0)a\($1): &a\($1) [[*a\($1 - 1)]]\n" }
    #expect(problem(chain)?.contains("is nested more than 64 deep") == true)
    #expect(problem("a: [\(String(repeating: "1,", count: 100_001))]")?.contains(tooMuch) == true)
  }

  @Test func damageIsRefusedOrReadAndNeverMore() throws {
    expectDamageIsRefused(
      as: ConfigurationError.self,
      in: Array(wholeJob.utf8),
      key: RandomKey(seed: 3),
      count: 300
    ) { bytes in
      let file = try ConfigurationFile(contentsOf: folder.file("damaged.yaml", bytes))
      _ = file.json
      _ = try file.decode(Job.init)
    }
  }

  @Test(arguments: 0..<4)
  func nonsenseIsRefusedOrReadAndNeverMore(_ seed: Int) throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: UInt64(seed)))
    let pieces = [
      "a", "b: ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", ": ", "? ", "&a ", "*a ",
      "!!str ", "!x ", "'", "\"", "|\n", ">-\n", "# c\n", "---\n", "...\n", "%YAML 1.2\n", "\\x41",
      "\u{85}", "\u{2028}", "ü", "0x1F", "~", "<<", "*", "&", "!", "@", "`", "1e5",
    ]
    var read = 0
    for _ in 0..<3000 {
      let count = Int.random(in: 1...14, using: &numbers)
      let text = (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &numbers)] }
      do {
        _ = try ConfigurationFile(text: text.joined(), path: "job.yaml").json
        read += 1
      } catch is ConfigurationError {}
    }
    #expect(read > 100)
  }
}
