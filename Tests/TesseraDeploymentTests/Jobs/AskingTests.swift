import Synchronization
import TesseraFederation
import Testing

@testable import TesseraDeployment

/// What a server asks of sites outside of rounds, and how long it waits.
@Suite(.timeLimit(.minutes(20))) struct AskingTests {
  /// One site that answers and talks on, and one that says nothing.
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

    func end(_ job: String, at sites: [String], isAborted: Bool) {}
    func remove(_ site: String, because reason: String) {}
    func whenSitesHold(_ observer: @escaping @Sendable (String, [String]) -> Void) {}
    func whenSitesChange(_ observer: @escaping @Sendable () -> Void) {}

    func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {
      report(.answered(sites[0], .success(Exchange(.custom("ready")))))
      // South says nothing; what north says besides helps it no further.
      while !Task.isCancelled {
        report(.progressed(sites[0]))
        try? await ContinuousClock().sleep(for: .milliseconds(20))
      }
    }
  }

  @Test func aSilentSiteIsWaitedForNoLongerBecauseOthersAreAtWork() async throws {
    let sites = Sites()
    let answers = try await sites.ask(
      .deploy,
      step: -1,
      data: Exchange(.custom("job")),
      of: "job",
      sites.sites,
      patience: .milliseconds(300)
    )
    #expect(try answers[0]?.get().kind == .custom("ready"))
    guard case .failure(let error) = answers[1] else {
      Issue.record("south has not answered")
      return
    }
    #expect("\(error)".contains("south has said nothing for 0.3 seconds"))
  }
}
