import TesseraDeployment
import Testing

@Suite("A job's states")
struct JobStateTests {
  static let all: [JobState] = [
    .submitted, .approved, .dispatched, .running, .finished(.completed),
    .finished(.aborted(by: "ada")), .finished(.failed(reason: "no sites")),
    .abandoned(reason: "nobody"),
  ]

  @Test("nothing follows the end")
  func end() {
    for state in Self.all where state.isOver {
      #expect(!Self.all.contains(where: state.canBecome))
    }
  }

  @Test("only what ran can be finished, and only what did not run abandoned")
  func ends() {
    #expect(
      Self.all.filter { $0.canBecome(.finished(.completed)) } == [.dispatched, .running]
    )
    #expect(
      Self.all.filter { $0.canBecome(.abandoned(reason: "")) } == [.submitted, .approved]
    )
  }

  @Test("every state has a name of its own")
  func names() {
    #expect(Set(Self.all.map(\.name)).count == Self.all.count)
  }
}
