import Foundation
import TesseraCore
import Testing

@testable import TesseraFederation

/// What follows from what happens to a trainer, without one.
@Suite struct TrainerSessionTests {
  private static let welcome = TrainerOrder.Welcome(
    job: "digits",
    site: "north",
    siteIndex: 0,
    data: nil,
    folder: "/tmp/x"
  )

  private static func task(_ number: Int) -> TrainerOrder.Task {
    TrainerOrder.Task(
      task: number,
      name: "train",
      round: 1,
      rounds: 2,
      seed: 7,
      metadata: .init(),
      metrics: [:],
      headers: [:]
    )
  }

  /// A trainer that has said hello and is at task 1.
  private static func working() -> TrainerSession {
    var session = TrainerSession(welcome: welcome)
    _ = session.handle(.asked(task(1)))
    _ = session.say(#"{"type":"hello","protocol":[1]}"#)
    return session
  }

  @Test func aTaskGoesToATrainerThatHasSaidHello() {
    var session = TrainerSession(welcome: Self.welcome)
    #expect(session.handle(.asked(Self.task(1))).words == ["start", "progress 1"])
    #expect(session.handle(.asked(Self.task(2))).words == [])
    #expect(
      session.say(#"{"type":"hello","protocol":[3,1]}"#).words
        == ["welcome", "task 1", "progress 1"]
    )
    #expect(session.say(#"{"type":"progress"}"#).words == ["progress 1"])
    #expect(
      session.say(#"{"type":"answer","task":1,"kind":"metrics","metrics":{"a":1,"b":"nan"}}"#).words
        == ["answered 1", "task 2", "progress 2"]
    )
    #expect(
      session.say(#"{"type":"refuse","task":2,"why":"nothing to share"}"#).words == ["refused 2"]
    )
    #expect(session.handle(.closing(isUrgent: false)).words == ["end", "alarm"])
    #expect(session.handle(.disconnected).words == [])
    #expect(session.handle(.exited(.status(0))).words == ["no alarm", "note", "over"])
  }

  @Test func deathIsForgivenOnceForEachTask() {
    var session = Self.working()
    #expect(
      session.handle(.exited(.signal(9))).words == ["no alarm", "note", "start", "progress 1"]
    )
    _ = session.say(#"{"type":"hello","protocol":[1]}"#)
    #expect(session.handle(.disconnected).words == ["alarm"])
    #expect(session.handle(.exited(.status(1))).words == ["no alarm", "note", "failed 1"])
    // Another task, another chance.
    #expect(session.handle(.asked(Self.task(2))).words == ["start", "progress 2"])
    #expect(
      session.handle(.exited(.status(1))).words == ["no alarm", "note", "start", "progress 2"]
    )
  }

  @Test func whoDoesNotEndIsReminded() {
    var session = Self.working()
    #expect(session.handle(.cancelled(9)).words == [])
    #expect(session.handle(.cancelled(1)).words == ["abort", "alarm"])
    // What it says now comes too late.
    #expect(session.say(#"{"type":"answer","task":1,"kind":"metrics"}"#).words == [])
    #expect(session.handle(.alarmed).words == ["terminate", "alarm"])
    #expect(session.handle(.alarmed).words == ["kill", "no alarm"])
    #expect(session.handle(.exited(.signal(9))).words == ["no alarm", "cancelled 1"])
    let steps = TrainerSession.abortSteps
    #expect(steps.0 + steps.1 < .milliseconds(800))
  }

  @Test func aTaskThatWaitsCanBeCancelled() {
    var session = Self.working()
    _ = session.handle(.asked(Self.task(2)))
    #expect(session.handle(.cancelled(2)).words == ["cancelled 2"])
    #expect(session.handle(.closing(isUrgent: true)).words == ["abort", "alarm"])
    #expect(session.handle(.exited(.status(0))).words == ["no alarm", "cancelled 1", "over"])
  }

  /// It has answered, and is told to end; then the job is aborted.
  @Test func anAbortShortensAnEndThatHasBegun() {
    var session = Self.working()
    _ = session.say(#"{"type":"answer","task":1,"kind":"metrics"}"#)
    #expect(session.handle(.closing(isUrgent: false)).words == ["end", "alarm"])
    #expect(session.handle(.closing(isUrgent: false)).words == [])
    #expect(session.handle(.closing(isUrgent: true)).words == ["terminate", "alarm"])
    // Told twice it has the same time.
    #expect(session.handle(.closing(isUrgent: true)).words == [])
    #expect(session.handle(.alarmed).words == ["kill", "no alarm"])
    #expect(session.handle(.exited(.signal(9))).words == ["no alarm", "note", "over"])
  }

  /// SIGTERM was sent, and SIGKILL would come a second later.
  @Test func anAbortEndsWhatHasIgnoredItsTime() {
    var session = Self.working()
    _ = session.say(#"{"type":"answer","task":1,"kind":"metrics"}"#)
    _ = session.handle(.closing(isUrgent: false))
    #expect(session.handle(.alarmed).words == ["terminate", "alarm"])
    #expect(session.handle(.closing(isUrgent: true)).words == ["kill", "no alarm"])
  }

  @Test func aBrokenTrainerIsNotStartedAgainForItsTask() {
    var session = Self.working()
    _ = session.handle(.asked(Self.task(2)))
    #expect(session.say("{").words == ["error", "alarm"])
    #expect(session.say("{").words == [])
    #expect(
      session.handle(.exited(.signal(15))).words == ["no alarm", "failed 1", "start", "progress 2"]
    )
    // An answer that turns out to be wrong ends the trainer, and not the task that it has by then.
    _ = session.say(#"{"type":"hello","protocol":[1]}"#)
    #expect(
      session.handle(.violated(TrainerViolation("wrong"), task: 1)).words == ["error", "alarm"]
    )
    #expect(session.handle(.exited(.status(0))).words == ["no alarm", "start", "progress 2"])
  }

  @Test func aProgramThatCannotBeStartedFailsItsTask() {
    var session = TrainerSession(welcome: Self.welcome)
    _ = session.handle(.asked(Self.task(1)))
    #expect(session.handle(.startFailed("cannot be started")).words == ["failed 1"])
    #expect(session.handle(.closing(isUrgent: false)).words == ["over"])
  }

  @Test func messagesOfTheSiteAreLinesOfJSON() throws {
    var task = Self.task(1)
    task.metrics = ["camelCase": .nan]
    let line = try TrainerOrder.task(task).line()
    #expect(line.last == UInt8(ascii: "\n") && line.filter { $0 == UInt8(ascii: "\n") }.count == 1)
    let text = String(decoding: line, as: UTF8.self)
    #expect(text.contains(#""metrics":{"camelCase":"nan"}"#))
    #expect(text.contains(#""attempt":1"#) && text.contains(#""seed":7"#))
    let welcome = String(decoding: try TrainerOrder.welcome(Self.welcome).line(), as: UTF8.self)
    #expect(welcome.contains(#""site_index":0"#) && welcome.contains(#""protocol":1"#))
  }

  @Test func linesComeInPieces() throws {
    var buffer = LineBuffer(longest: 8)
    #expect(try buffer.take(Array("ab".utf8)) == [])
    #expect(try buffer.take(Array("c\n\nxy".utf8)) == [Array("abc".utf8), []])
    #expect(try buffer.take(Array("12345\n".utf8)) == [Array("xy12345".utf8)])
    #expect(throws: TrainerViolation.self) { try buffer.take(Array("12345678".utf8)) }
    var other = LineBuffer(longest: 8)
    #expect(throws: TrainerViolation.self) { try other.take(Array("12345678\n".utf8)) }
  }

  /// Whatever a line says, the session does something that it may: nothing traps, and nothing is made up.
  @Test func mutatedLinesAreMessagesOrViolations() {
    let lines = [
      #"{"type":"hello","protocol":[1,2],"client":"x"}"#, #"{"type":"progress"}"#,
      #"{"type":"log","name":"loss","value":0.25,"step":12}"#,
      #"{"type":"answer","task":1,"kind":"weights","file":"a-1.safetensors","metrics":{"loss":0.5},"samples":600,"steps":10}"#,
      #"{"type":"refuse","task":1,"why":"failed","reason":"none"}"#,
    ].map { Array($0.utf8) }
    let pieces = [
      "null", "-1", "1e999", "9223372036854775808", "\"\"", "[]", "{}", "\\u0000", "\u{fffd}", "\n",
      "true", "\"type\":", "1.5", "[[[[", "\"nan\"", "0.1e-400",
    ].map { Array($0.utf8) }
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 4))
    var (messages, violations) = (0, 0)
    for _ in 0..<6000 {
      var line = lines.randomElement(using: &numbers) ?? []
      for _ in 0..<Int.random(in: 1...2, using: &numbers) where !line.isEmpty {
        let place = Int.random(in: 0..<line.count, using: &numbers)
        switch Int.random(in: 0..<5, using: &numbers) {
        case 0: line[place] = .random(in: 0...255, using: &numbers)
        case 1: line.remove(at: place)
        case 2: line.insert(contentsOf: pieces.randomElement(using: &numbers) ?? [], at: place)
        case 3: line.removeSubrange(place...)
        default:
          let end = Int.random(in: place...line.count, using: &numbers)
          line.replaceSubrange(place..<end, with: pieces.randomElement(using: &numbers) ?? [])
        }
      }
      var session = Self.working()
      let words = session.handle(.received(line)).words
      if words == ["error", "alarm"] {
        violations += 1
        #expect(
          session.handle(.exited(.signal(9))).words == ["no alarm", "failed 1"]
        )
      } else {
        messages += 1
        #expect(
          [["progress 1"], ["log", "progress 1", "measured 1"], ["answered 1"], ["refused 1"]]
            .contains(words)
        )
      }
    }
    #expect(messages > 100)
    #expect(violations > 3000)
  }
}

extension TrainerSession {
  fileprivate mutating func say(_ line: String) -> [Action] {
    handle(.received(Array(line.utf8)))
  }
}

extension [TrainerSession.Action] {
  /// The actions in a word each, with the numbers of tasks.
  fileprivate var words: [String] {
    map { action in
      switch action {
      case .start: "start"
      case .send(.welcome): "welcome"
      case .send(.task(let task)): "task \(task.task)"
      case .send(.abort): "abort"
      case .send(.error): "error"
      case .send(.end): "end"
      case .signal(.terminate): "terminate"
      case .signal(.kill): "kill"
      case .setAlarm(nil): "no alarm"
      case .setAlarm: "alarm"
      case .finish(let task, .answered): "answered \(task)"
      case .finish(let task, .refused): "refused \(task)"
      case .finish(let task, .cancelled): "cancelled \(task)"
      case .finish(let task, .failed): "failed \(task)"
      case .progressed(let task): "progress \(task)"
      case .log: "log"
      case .measured(let task, _): "measured \(task)"
      case .note: "note"
      case .end: "over"
      }
    }
  }
}
