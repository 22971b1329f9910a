import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraTesting
import Testing

@Suite struct DecodingTests {
  private func file(_ text: String) throws -> ConfigurationFile {
    try ConfigurationFile(text: text, path: "job.yaml")
  }

  @Test func aFileIsReadAsItIsMeant() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("job.yaml", Array(wholeJob.utf8))
    let job = try ConfigurationFile(contentsOf: path).decode(Job.init)
    #expect(job.rounds == 20)
    #expect(job.seed == .max)
    #expect(job.fraction == 0.5)
    #expect(job.target == 0.9)
    #expect(job.device == .cuda)
    #expect(job.augments)
    #expect(job.reduction == 0)
    #expect(job.sites.map(\.name) == ["north", "7", "Süd"])
    #expect(job.sites.map(\.weight) == [2, 0.5, 1])
    #expect(job.hidden == [16, 8, 100, 8])
    #expect(job.rule == .trimmedMean(trim: 0.2))
    #expect(job.filters == [.mean, .mean, .trimmedMean(trim: 0.1)])
    #expect(job.quotas == ["b=1", "a=2"])
    #expect(job.minimum == 3)
  }

  @Test func whatIsNotThereIsTheDefault() throws {
    let job = try file("{rounds: 1, sites: [{name: a}]}").decode(Job.init)
    #expect(job.seed == 1)
    #expect(job.target == nil)
    #expect(job.device == .cpu)
    #expect(job.rule == .mean)
    #expect(job.hidden == [])
  }

  @Test func anEmptyFileIsAnEmptyMapping() throws {
    for text in ["", "# nothing\n", "{}"] {
      #expect(try file(text).decode { try $0.optional("a", .integer, default: 7) } == 7)
    }
  }

  @Test func aliasesStandForWhatTheyName() throws {
    let text = """
      sites:
        - &first {name: "a*b *c", weight: 3}
        - *first
      more: *first
      text: *name-1
      product: 2 *3
      """
    let error = #expect(throws: ConfigurationError.self) { try file(text) }
    #expect(error?.description.contains("job.yaml:5:7: has no anchor 'name-1'") == true)
    let values = try file(text.replacing("text: *name-1", with: "")).decode { root in
      let sites = try root.required("sites", .list(of: .mapping(Job.Site.init)))
      let more = try root.required("more", .mapping(Job.Site.init))
      return (sites + [more], try root.required("product", .text))
    }
    #expect(values.0.map(\.name) == ["a*b *c", "a*b *c", "a*b *c"])
    #expect(values.0.map(\.weight) == [3, 3, 3])
    #expect(values.1 == "2 *3")
  }

  @Test func schemasCanBeMapped() throws {
    let text = "{date: 2026-11-25, size: [3, 4]}"
    let (year, area) = try file(text).decode { root in
      let year = try root.required("date", Schema<String>.text.map { $0.prefix(4) })
      let area = try root.required(
        "size",
        Schema<[Int]>.list(of: .integer).map { $0.reduce(1, *) }
      )
      return (year, area)
    }
    #expect(year == "2026")
    #expect(area == 12)
  }

  @Test func theEchoIsTheSameForFilesThatSayTheSame() throws {
    let one = "b: [1, 0x2, 3.5, .inf, yes, 'true', ~]\na: &x {t: \"ü/\\n\\e\", s: true}\nc: *x\n"
    let two = """
      {c: {s: true, t: "ü/\\n\\e"}, a: {t: "ü/\\n\\e", s: true},
       "b": [+1, 2, 35e-1, .Inf, 'yes', "true", null]}
      """
    let echo =
      #"{"a":{"s":true,"t":"ü/\n\u001b"},"b":[1,2,3.5,".inf","yes","true",null],"#
      + #""c":{"s":true,"t":"ü/\n\u001b"}}"#
    #expect(try file(one).json == echo)
    #expect(try file(two).json == echo)
    let whole = try JSONSerialization.jsonObject(with: Data(file(wholeJob).json.utf8))
    #expect((whole as? [String: Any])?["seed"] as? UInt64 == .max)
  }
}
