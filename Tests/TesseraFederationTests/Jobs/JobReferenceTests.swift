import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraFederation
import Testing

@Suite struct JobReferenceTests {
  private let reference = JobReference()

  @Test func thePageInTheDocumentationIsWhatTheProgramReads() throws {
    var page = FilePath(#filePath)
    page.removeLastComponent()
    page.append("../../../docs/job-reference.md")
    let text = try #require(FileManager.default.contents(atPath: page.string))
    let parts = String(decoding: text, as: UTF8.self)
      .split(separator: "\n## ", maxSplits: 1, omittingEmptySubsequences: false)
    // To renew it: ./tessera federation components --markdown
    #expect(parts.count == 2 && "## " + parts[1] == reference.markdown)
  }

  @Test func everyComponentIsExplainedWithAllItsArguments() {
    var kinds: Set<String> = []
    func check(_ argument: ArgumentDescription, of component: String) {
      #expect(!argument.meaning.isEmpty, "\(component): \(argument.name)")
      #expect(!argument.form.type.isEmpty)
      for inner in argument.form.arguments { check(inner, of: component) }
    }
    for component in reference.components {
      kinds.insert(component.kind)
      #expect(component.summary.hasSuffix("."), "\(component.name)")
      for argument in component.arguments { check(argument, of: component.name) }
    }
    #expect(kinds.count == 8)
    for file in reference.files {
      for key in file.keys { check(key, of: file.file) }
    }
    #expect(reference.files.map(\.file) == ["job.yml", "data.yml"])
    #expect(reference.files[0].keys.map(\.name).contains("target_accuracy"))
  }

  @Test func argumentsAreThoseThatAreRead() throws {
    func component(_ name: String, _ kind: String) throws -> ComponentDescription {
      try #require(reference.components(named: name).first { $0.kind == kind })
    }
    let fedAvg = try component("fedavg", "workflow")
    #expect(
      fedAvg.arguments.map(\.name) == [
        "rounds", "fraction", "aggregation", "server_optimizer", "secure_aggregation", "sampling",
      ]
    )
    #expect(fedAvg.arguments.map(\.isRequired) == [true, false, false, false, false, false])
    #expect(fedAvg.arguments[2].standard == "weighted-mean")
    #expect(fedAvg.arguments[4].form.arguments.map(\.name) == ["bound", "clips", "noise"])
    // Arguments that exclude each other are all there.
    #expect(
      try component("top-k", "filter").arguments.map(\.name)
        == ["count", "fraction", "per_tensor", "error_feedback", "tasks"]
    )
    let prox = try component("fedprox", "algorithm").arguments[0]
    #expect(prox.standard == "0.01" && prox.form.allowed == "of at least 0")
    #expect(try component("adam", "server optimizer").arguments[0].standard == "0.03")
    #expect(reference.components(named: "scaffold").count == 2)
    #expect(reference.text(of: fedAvg).contains("rounds (must be given)"))
  }

  @Test func aProgramsOwnComponentsAreInItsReference() throws {
    var components = JobComponents.standard
    components.rules.register("first", summary: "Takes the first.") { arguments in
      _ = try arguments.optional("count", .integer(in: 1...9), default: 3, help: "how many")
      return WeightedMean()
    }
    let own = try #require(JobReference(components).components(named: "first").first)
    #expect(own.kind == "aggregation rule")
    #expect(own.arguments.map(\.standard) == ["3"])
    let data = try JSONEncoder().encode(own)
    #expect(try JSONDecoder().decode(ComponentDescription.self, from: data) == own)
  }
}
