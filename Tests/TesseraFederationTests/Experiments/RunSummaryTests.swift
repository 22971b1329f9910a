import Foundation
import SystemPackage
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

@Suite struct RunSummaryTests {
  private func summary(_ job: String) async throws -> RunSummary {
    let folder = try JobFolder(job)
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    return RunSummary(try await run.run(in: record), of: record)
  }

  @Test func itSaysWhatARunCameTo() async throws {
    let job =
      JobFolder.job.replacing("fraction: 0.7", with: "fraction: 1")
      + "target_accuracy: 1\nfilters: {site: {results: [quantize]}, server: {results: [dequantize]}}\n"
    let summary = try await summary(job)
    #expect(summary.status == .finished && summary.results.map(\.name) == ["small"])
    let training = try #require(summary.trainings.first)
    #expect(training.rounds == 3 && training.sites.count == 4)
    #expect(training.sites.map(\.rounds) == [3, 3, 3, 3])
    #expect(abs(training.sites.map(\.share).reduce(0, +) - 1) < 1e-9)
    #expect(try #require(training.compression) > 2 && training.bytesUp > 0)
    #expect(training.targetAccuracy == 1)
    let text = summary.lines.joined(separator: "\n")
    #expect(text.contains("smaller by compression") && text.contains("site-4"))
    let data = try JSONEncoder().encode(summary)
    #expect(try JSONDecoder().decode(RunSummary.self, from: data) == summary)
  }

  @Test func theRoundThatReachedTheTargetIsNamed() async throws {
    let summary = try await summary(JobFolder.job + "target_accuracy: 0.01\n")
    let training = try #require(summary.trainings.first)
    let round = try #require(training.roundsToTarget)
    #expect(training.rounds == round)
    #expect(summary.lines.contains { $0.contains("1.0 % was reached in round \(round)") })
  }

  @Test func answersThatWereNotUsedAreSaidWithTheirReason() async throws {
    let job = """
      name: small
      workflow: {type: fedavg, rounds: 2, aggregation: {type: norm-bound, bound: 1}}
      model: linear
      executor: {type: classifier, batch: 8}
      sites: 4
      filters: {site: {results: [{type: clip-norm, measure: l1}, {type: laplace-noise, sensitivity: 2}]}}
      privacy: {epsilon: 1.5, delta: 0}
      """
    let folder = try JobFolder(job)
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    await #expect(throws: FederationError.self) { try await run.run(in: record) }
    let summary = RunSummary(try record.manifest(), of: record)
    #expect(summary.status == .failed)
    #expect(summary.message?.contains("its privacy budget does not allow") == true)
    #expect(summary.trainings.first?.epsilon.count == 4)
    #expect(summary.lines.contains { $0.contains("ε") })
  }
}
