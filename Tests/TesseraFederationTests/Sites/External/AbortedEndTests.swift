import SystemPackage
import TesseraCore
import TesseraTesting
import Testing

@testable import TesseraFederation

/// Programs that were told that their job is over when it is aborted.
@Suite(.timeLimit(.minutes(20))) struct AbortedEndTests {
  /// It has all the time that it likes for its end; the abort arrives while it takes it.
  @Test func anAbortThatArrivesWhileAProgramEndsShortensIt() async throws {
    let testing = try TrainerTesting(
      TrainerTesting.byHand + """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        task = begin()
        say({"type": "answer", "task": task["task"], "kind": "metrics", "metrics": {}})
        assert hear()["type"] == "end"
        note("end")
        time.sleep(3600)
        """
    )
    let site = testing.sites[0]
    let place = testing.folder.path.appending(site.name)
    let executor = ExternalTrainer(
      TrainerProgram([TrainerTesting.python, "train.py"], folder: testing.folder.path),
      job: "test",
      rounds: 1,
      data: [site.name: .init(path: place, isCounted: true)],
      initial: nil,
      limits: ExchangeLimits(),
      endSteps: (.seconds(3600), .seconds(3600))
    )
    _ = try await SiteWorker(executor: executor).answer(testing.task(.evaluate))
    let closing = Task { await executor.close() }
    while testing.notes().last != "end" { try await Task.sleep(for: .milliseconds(10)) }
    closing.cancel()
    // An hour it would take otherwise.
    await closing.value
    #expect(testing.processes().count == 1 && !testing.processes().contains(where: isAlive))
  }
}
