import SystemPackage
import TesseraConfiguration
import Testing

@Suite struct DescriptionTests {
  private enum Mode: String, CaseIterable, Sendable { case slow, fast }

  private static let registry = {
    var rules = Registry<Int>(of: "rule")
    rules.register("plain", summary: "Does nothing.") { _ in 0 }
    var registry = Registry<String>(of: "thing")
    registry.register("whole", summary: "Has every kind of argument.") { [rules] arguments in
      let count = try arguments.required("count", .integer(in: 1...9), help: "how many")
      let share = try arguments.optional("share", .number(above: 0, through: 1), default: 0.5)
      let mode = try arguments.optional("mode", Schema<Mode>.choice, default: .fast)
      let names = try arguments.optional("names", .list(of: .text, count: 1...))
      let rule = try arguments.component("rule", from: rules, default: "plain")
      let rates = try arguments.section("rates") { rates in
        (
          first: try rates.optional("first", .number(above: 0), default: 1),
          last: try rates.optional("last", .number, default: 0)
        )
      }
      let flag = try arguments.optional("flag", .boolean, default: true)
      return "\(count) \(share) \(mode) \(names ?? []) \(rule) \(rates) \(flag)"
    }
    return registry
  }()

  private func make(_ text: String) throws -> String {
    try ConfigurationFile(text: text, path: "x.yml")
      .decode { try $0.required("thing", .component(from: Self.registry)) }
  }

  @Test func aComponentSaysWhatItReads() throws {
    let description = try #require(Self.registry.descriptions.first)
    #expect(description.kind == "thing" && description.name == "whole")
    #expect(description.summary == "Has every kind of argument.")
    let arguments = description.arguments
    #expect(
      arguments.map(\.name) == ["count", "share", "mode", "names", "rule", "rates", "flag"]
    )
    #expect(arguments.map(\.isRequired) == [true, false, false, false, false, false, false])
    #expect(arguments.map(\.standard) == [nil, "0.5", "fast", nil, "plain", nil, "true"])
    #expect(
      arguments.map(\.form.type) == [
        "integer", "number", "name", "list of text", "rule", "mapping", "true or false",
      ]
    )
    #expect(arguments[0].meaning == "how many")
    #expect(arguments[0].form.allowed == "in 1...9")
    #expect(arguments[1].form.allowed == "above 0 and at most 1")
    #expect(arguments[2].form.choices == ["slow", "fast"])
    #expect(arguments[4].form.choices == ["plain"])
    #expect(arguments[5].form.arguments.map(\.name) == ["first", "last"])
    #expect(arguments[5].form.arguments.map(\.standard) == ["1", "0"])
    #expect(arguments[5].form.arguments[1].form.allowed == nil)
  }

  @Test func whatIsDescribedIsWhatIsRead() throws {
    let whole = try make("thing: {type: whole, count: 3}")
    #expect(whole == "3 0.5 fast [] 0 (first: 1.0, last: 0.0) true")
    let other = try make("thing: {type: whole, count: 3, rates: {first: 2}, mode: slow}")
    #expect(other == "3 0.5 slow [] 0 (first: 2.0, last: 0.0) true")
  }

  @Test func allThatIsWrongIsFoundAtOnce() {
    let text = """
      thing:
        type: whole
        count: 10
        share: 0
        mode: fasst
        names: []
        rule: plian
        rates: {first: -1, lst: 2}
        flga: true
      """
    let error = #expect(throws: ConfigurationError.self) { try make(text) }
    let problems = error?.problems.map(\.description) ?? []
    let expected = [
      (3, "must be in 1...9, not 10"), (4, "must be above 0 and at most 1, not 0.0"),
      (5, "did you mean 'fast'?"), (6, "must have a number of elements"),
      (7, "did you mean 'plain'?"), (8, "must be above 0, not -1.0"), (8, "did you mean 'last'?"),
      (9, "did you mean 'flag'?"),
    ]
    #expect(problems.count == expected.count, "\(problems)")
    for (problem, (line, message)) in zip(problems, expected) {
      #expect(problem.hasPrefix("x.yml:\(line):") && problem.contains(message), "\(problem)")
    }
  }

  @Test func aWrongValueIsNoReasonToBlameOthers() throws {
    let body: (Mapping) throws -> Int = { root in
      let least = try root.required("least", .integer(in: 1...9))
      let most = try root.required("most", .integer(in: 1...9))
      guard least <= most else { throw root.error(at: "least", "is more than 'most'") }
      return most
    }
    func problems(_ text: String) throws -> [String] {
      try ConfigurationFile(text: text, path: "x.yml").examine(body).problems.map(\.description)
    }
    #expect(try problems("least: 5\nmost: 6") == [])
    #expect(try problems("least: 5\nmost: 4") == ["x.yml:1:8: least: is more than 'most'"])
    // 1 stands in for the wrong one, and 5 is more than that.
    #expect(try problems("least: 5\nmost: 0").count == 1)
    #expect(try problems("least: 5").map { $0.contains("needs the key 'most'") } == [true])
  }

  @Test func aValueThatDoesNotFitOthersHasItsPlace() throws {
    let file = try ConfigurationFile(
      text: "a: 1\nlist:\n  - x\n  - {type: y, z: 3}\n",
      path: "x.yml"
    )
    func place(_ keyPath: String) -> String {
      file.problem(at: keyPath, "is wrong").description
    }
    #expect(place("list[1].z") == "x.yml:4:18: list[1].z: is wrong")
    #expect(place("list[1].q") == "x.yml:4:5: list[1].q: is wrong")
    #expect(place("list[7]") == "x.yml:3:3: list[7]: is wrong")
    #expect(place("a.b") == "x.yml:1:4: a.b: is wrong")
    #expect(file.contains("a") && !file.contains("a.b") && !file.contains("b"))
  }
}
