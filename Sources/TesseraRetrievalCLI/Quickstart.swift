internal import ArgumentParser
internal import Foundation
internal import TesseraCommandLine
internal import TesseraRetrieval
internal import TesseraRun

struct Quickstart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows on emoji in 111 languages what translations bring to a search for pictures.",
    discussion: """
      Builds a data set from packages (CLDR's names of emoji, drawn by four artists), trains one model on pictures with captions in \
      eight languages as ALIGN is, and another on the same and on translations as MURAL is, measures both in all languages on drawings \
      that neither has seen, and writes a report.
      """
  )

  enum Preset: String, CaseIterable, ExpressibleByArgument {
    case standard, smoke
  }

  @Option(help: "'standard' takes up to 45 minutes on two cores; 'smoke' six, and learns less.")
  var preset: Preset = .standard

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What all random numbers derive from.",
      valueName: "0...18446744073709551615"
    )
  )
  var seed: UInt64 = 1

  @OptionGroup var sites: SiteOptions
  @OptionGroup var computer: DeviceOptions
  @OptionGroup var target: RunTarget

  func run() async throws {
    try await reportingErrors {
      let device = try computer.device()
      var plan = sites.federating(preset == .standard ? .quickstart : .smoke)
      plan.seeds = [seed]
      let session = RetrievalSession()
      let dataset = try await session.dataset(nil)
      let experiment = try await session.experiment(plan, dataset, on: device)
      let (record, manifest) = try await session.run(
        experiment,
        in: target.output,
        threads: target.threads
      )
      session.output.line("")
      for pair in RetrievalExperiment.compared {
        for track in RetrievalTrack.Standard.allCases {
          guard
            let comparison = try experiment.comparison(
              of: pair.first,
              with: pair.second,
              on: track,
              in: record
            )
          else { continue }
          session.output.line(Self.text(comparison))
        }
      }
      session.output.line("")
      session.output.line(
        "Trained in \(TimeLeft.text(manifest.trainingSeconds)). Report: \(record.reportFile)"
      )
    }
  }

  private static func text(_ comparison: SystemComparison) -> String {
    func mean(_ values: [Double]) -> Double {
      values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) * 100
    }
    let track = comparison.track.padding(toLength: 18, withPad: " ", startingAt: 0)
    let recalls = zip(comparison.names, [comparison.first, comparison.second])
      .map { $0 + String(format: " %5.1f %%", mean($1)) }.joined(separator: "  ")
    guard let difference = comparison.difference else { return "\(track)\(recalls)" }
    return "\(track)\(recalls)"
      + String(
        format: "  difference %+.1f (95 %% within %+.1f to %+.1f)",
        difference.difference * 100,
        difference.interval.lowerBound * 100,
        difference.interval.upperBound * 100
      )
  }
}
