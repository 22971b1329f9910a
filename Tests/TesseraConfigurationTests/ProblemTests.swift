import SystemPackage
import TesseraConfiguration
import TesseraTesting
import Testing

@Suite struct ProblemTests {
  private func problems(_ text: String) -> [String] {
    let error = #expect(throws: ConfigurationError.self) {
      try ConfigurationFile(text: text, path: "job.yaml").decode(Job.init)
    }
    return error?.problems.map(\.description) ?? []
  }

  private static let sites = "sites: [{name: a}]\n"

  @Test func unknownKeysAreAllReportedWithTheNearestKnownOne() {
    let text = """
      rounds: 1
      fracton: 0.5
      sites:
        - name: north
          wieght: 2
          color: red
      rule: {type: trimmed-mean, trim: 0.1, tirm: 0.1}
      filters: [{type: mean, trim: 1}]
      """
    #expect(
      problems(text) == [
        "job.yaml:2:1: unknown key 'fracton'; did you mean 'fraction'? Known are augments, device, "
          + "filters, fraction, hidden, limits, quotas, reduction, rounds, rule, seed, sites, target",
        "job.yaml:5:5: sites[0]: unknown key 'wieght'; did you mean 'weight'? Known are name, weight",
        "job.yaml:6:5: sites[0]: unknown key 'color'. Known are name, weight",
        "job.yaml:7:39: rule: unknown key 'tirm'; did you mean 'trim'? Known are trim, type",
        "job.yaml:8:24: filters[0]: unknown key 'trim'. Known are type",
      ]
    )
  }

  @Test func aMissingKeyIsShownWhereItMayHaveBeenMisspelled() {
    #expect(
      problems("device: cpu\nround: 3\n\(Self.sites)") == [
        "job.yaml:2:1: needs the key 'rounds'; did you mean it by 'round'?"
      ]
    )
    #expect(problems("# a\n\n\(Self.sites)") == ["job.yaml:3:1: needs the key 'rounds'"])
    #expect(
      problems("") == [
        "job.yaml:1:1: needs the key 'rounds'", "job.yaml:1:1: needs the key 'sites'",
      ]
    )
  }

  @Test func allElementsOfAListAreLookedAt() {
    #expect(
      problems("rounds: 1\nsites: [{}, {name: 1}, {name: b, c: 1}, {name: d}]").count == 1
    )
    #expect(
      problems("rounds: 1\nsites: [{}, {name: 1}, {name: b, c: 1}]") == [
        "job.yaml:2:9: sites[0]: needs the key 'name'",
        "job.yaml:2:20: sites[1].name: must be text (in quotes if it looks like something else), "
          + "not an integer",
        "job.yaml:2:34: sites[2]: unknown key 'c'. Known are name, weight",
      ]
    )
  }

  @Test(arguments: [
    ("rounds", "0", "must be in 1...10000, not 0"),
    ("rounds", "1.5", "must be an integer, not a number"),
    ("rounds", "'1'", "must be an integer, not text"), ("rounds", "1e99", "must be an integer"),
    ("rounds", "99999999999999999999", "is too large or too small"),
    ("rounds", "", "is empty; give it a value or leave the key out"),
    ("rounds", "~", "is empty"), ("rounds", "[1]", "must be an integer, not a list"),
    ("seed", "-1", "is too large or too small"), ("seed", "0x", "must be an integer, not text"),
    ("seed", "0x+1", "must be an integer, not text"),
    ("seed", "1_000", "must be an integer, not text"),
    ("fraction", ".nan", "must be finite"), ("fraction", "-.inf", "must be finite"),
    ("fraction", "1e999", "must be finite"),
    ("fraction", "1.0001", "must be in 0.001...1, not 1.0001"),
    ("fraction", "true", "must be a number, not a boolean"),
    ("fraction", "infinity", "must be a number, not text"),
    ("fraction", "0x1p-3", "must be a number, not text"), ("fraction", "1.2.3", "not text"),
    ("augments", "yes", "must be true or false, not text"),
    ("augments", "True", "must be true or false, not a boolean"),
    ("augments", "'true'", "must be true or false, not text"),
    ("augments", "1", "must be true or false, not an integer"),
    ("device", "cdua", "cannot be 'cdua'; did you mean 'cuda'? Known are cpu, cuda"),
    ("device", "1", "must be text"), ("reduction", "none", "cannot be 'none'. Known are mean, sum"),
    ("hidden", "3", "must be a list, not an integer"),
    ("hidden", "[1, 0]", "must be of at least 1, not 0"),
    (
      "rule", "trimed-mean",
      "unknown aggregation rule 'trimed-mean'; did you mean 'trimmed-mean'? "
        + "Known are mean, trimmed-mean"
    ),
    ("rule", "{trim: 1}", "needs the key 'type'"),
    ("rule", "[mean]", "must be the name of a component"),
    ("rule", "3", "must be the name of a component, or a mapping with its type, not an integer"),
    ("rule", "{type: trimmed-mean, trim: 0.5}", "trim: must be in 0..<0.5, not 0.5"),
    ("quotas", "{a: b}", "quotas.a: must be an integer, not text"),
    ("limits", "{minimum: 2}", "must not ask for more than the number of sites"),
    ("limits", "3", "must be a mapping, not an integer"),
  ])
  func aValueThatIsNotAllowedNamesItsPlace(_ key: String, _ value: String, _ message: String) {
    let text = "\(key == "rounds" ? "" : "rounds: 1\n")\(Self.sites)\(key): \(value)\n"
    let problems = problems(text)
    #expect(problems.count == 1)
    let line = key == "rounds" ? 2 : 3
    #expect(problems.first?.hasPrefix("job.yaml:\(line):") == true)
    #expect(problems.first?.contains(key) == true)
    #expect(problems.first?.contains(message) == true, "\(problems)")
  }

  @Test func theNumberOfElementsIsChecked() {
    for sites in ["[]", "[{name: a}, {name: b}, {name: c}, {name: d}]"] {
      let problems = problems("rounds: 1\nsites: \(sites)")
      #expect(problems.first?.contains("sites: must have a number of elements in 1...3") == true)
    }
  }

  @Test func errorsOfOthersGetAPlace() {
    struct Failure: Error, CustomStringConvertible { var description: String { "is cursed" } }
    func problem(_ body: (Mapping) throws -> Void) -> String? {
      let error = #expect(throws: ConfigurationError.self) {
        try ConfigurationFile(text: "a: 1\nb:\n  c: 2", path: "x.yaml").decode(body)
      }
      #expect(error?.problems.map(\.code) == [.invalid])
      return error?.description
    }
    #expect(problem { _ in throw Failure() } == "x.yaml:1:1: is cursed")
    #expect(
      problem { root in
        _ = try root.required("b", .mapping { _ in throw Failure() } as Schema<Int>)
      } == "x.yaml:3:3: b: is cursed"
    )
    #expect(
      problem { root in
        _ = try root.required("a", Schema<Int>.integer.map { _ -> Int in throw Failure() })
      } == "x.yaml:1:4: a: is cursed"
    )
  }

  @Test func codesTellProblemsApart() {
    func code(_ text: String) -> ConfigurationError.Code? {
      let error = #expect(throws: ConfigurationError.self) {
        try ConfigurationFile(text: text, path: "job.yaml").decode(Job.init)
      }
      return error?.problems.first?.code
    }
    #expect(code("rounds: x\n\(Self.sites)") == .wrongType)
    #expect(code("rounds: 0\n\(Self.sites)") == .outOfRange)
    #expect(code("x: 0\n\(Self.sites)") == .missingKey)
    #expect(code("rounds: 1\nx: 0\n\(Self.sites)") == .unknownKey)
    #expect(code("rounds: 1\ndevice: x\n\(Self.sites)") == .unknownName)
    #expect(code("rounds: 1\nrule: x\n\(Self.sites)") == .unknownName)
    #expect(code("a: *b") == .malformed)
    #expect(code("a: !b c") == .notAllowed)
  }

  @Test func whatIsShownOfAFileCannotDriveATerminal() {
    let problem = problems(
      "rounds: 1\n\(Self.sites)\"\\e[31m\\u202e\(String(repeating: "x", count: 99))\": 1"
    )
    #expect(problem.first?.contains(#"'\u{1b}[31m\u{202e}xxx"#) == true)
    #expect(problem.first?.contains("x…'") == true)
  }

  @Test func aFileFullOfMistakesHasAShortError() {
    let keys = (0..<5000).map { "key\($0): 1\n" }.joined()
    let error = #expect(throws: ConfigurationError.self) {
      try ConfigurationFile(text: keys, path: "job.yaml").decode { _ in }
    }
    #expect(error?.problems.count == 5000)
    #expect(error?.description.split(separator: "\n").count == 21)
    #expect(error?.description.hasSuffix("… and 4980 more") == true)
  }
}
