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

  @Test("as JSON a state has the same keys whatever it is, and is read again")
  func coding() throws {
    let expected = [
      #"{"by":null,"outcome":null,"reason":null,"state":"submitted"}"#,
      #"{"by":null,"outcome":null,"reason":null,"state":"approved"}"#,
      #"{"by":null,"outcome":null,"reason":null,"state":"dispatched"}"#,
      #"{"by":null,"outcome":null,"reason":null,"state":"running"}"#,
      #"{"by":null,"outcome":"completed","reason":null,"state":"finished"}"#,
      #"{"by":"ada","outcome":"aborted","reason":null,"state":"finished"}"#,
      #"{"by":null,"outcome":"failed","reason":"no sites","state":"finished"}"#,
      #"{"by":null,"outcome":null,"reason":"nobody","state":"abandoned"}"#,
    ]
    #expect(try Self.all.map { try JSONText.of($0) } == expected)
    #expect(try expected.map { try JSONText.value(JobState.self, of: $0) } == Self.all)
  }

  @Test("states of earlier stores and audit logs are read, and what is none is not")
  func earlier() throws {
    let earlier = [
      #"{"submitted":{}}"#, #"{"approved":{}}"#, #"{"dispatched":{}}"#, #"{"running":{}}"#,
      #"{"finished":{"_0":{"completed":{}}}}"#, #"{"finished":{"_0":{"aborted":{"by":"ada"}}}}"#,
      #"{"finished":{"_0":{"failed":{"reason":"no sites"}}}}"#,
      #"{"abandoned":{"reason":"nobody"}}"#,
    ]
    #expect(try earlier.map { try JSONText.value(JobState.self, of: $0) } == Self.all)
    for text in [
      "{}", #"{"state":"flying"}"#, #"{"state":"finished"}"#, #"{"state":"abandoned"}"#,
      #"{"state":"finished","outcome":"aborted"}"#, #"{"flying":{}}"#, "3",
    ] {
      #expect(throws: DeploymentError.self, "\(text)") {
        try JSONText.value(JobState.self, of: text)
      }
    }
  }
}
