import Synchronization
import TesseraFederation
import Testing

@testable import TesseraDeployment

/// What a server asks of sites outside of rounds, and how long it waits.
@Suite(.timeLimit(.minutes(1))) struct AskingTests {
  /// Sites each of which answers after some signs of life, or says nothing.
  private struct Sites: SiteNetwork, Transport {
    let sites = ["north", "south"].enumerated().map {
      Site(index: $0, name: $1, exampleCount: 1)
    }
    var connectedSites: Set<String> { Set(sites.map(\.name)) }

    func transport(
      of job: String,
      to sites: [Site],
      observer: (any TransferObserver)?,
      answers: AnswerLimit?
    ) -> any Transport { self }

    func end(_ job: String, at sites: [String]) {}
    func remove(_ site: String, because reason: String) {}
    func whenSitesChange(_ observer: @escaping @Sendable () -> Void) {}

    func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {
      for _ in 0..<50 {
        report(.progressed(sites[0]))
        try? await ContinuousClock().sleep(for: .milliseconds(50))
      }
      report(.answered(sites[0], .success(Exchange(.custom("ready")))))
      // South says nothing, and is waited for as long as somebody does.
      try? await ContinuousClock().sleep(for: .seconds(60))
    }
  }

  @Test func aSilentSiteIsWaitedForNoLongerBecauseOthersAreAtWork() async throws {
    let sites = Sites()
    let start = ContinuousClock.now
    let answers = try await sites.ask(
      .deploy,
      step: -1,
      data: Exchange(.custom("job")),
      of: "job",
      sites.sites,
      patience: .seconds(2)
    )
    // South was given up after 2 s, and north has answered after 2.5 s.
    #expect(ContinuousClock.now - start < .seconds(4.2))
    #expect(try answers[0]?.get().kind == .custom("ready"))
    guard case .failure(let error) = answers[1] else {
      Issue.record("south has not answered")
      return
    }
    #expect("\(error)".contains("south has said nothing for 2.0 seconds"))
  }
}
