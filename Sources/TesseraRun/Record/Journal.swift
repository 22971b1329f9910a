internal import Foundation
public import SystemPackage

/// A log of events that only grows, and that outlives whatever happens to its process.
///
///     let (journal, events) = try Journal<RoundEvent>.open(at: folder.appending("events.jsonl"))
///     var round = Round()
///     for event in events { round.handle(event) }
///     …
///     try journal.append(.joined(site))  // is on the disk when this returns
///
/// The file holds an object of JSON on each line: the event, its number, and a checksum of it and of all before it. A kill or
/// a power cut can leave the beginning of a line at the end, which the next ``Journal/open(at:endsAtHoles:)`` cuts off; of events that
/// are not durable, a power cut can take any from the first on. Any other damage is an error, and changes nothing.
public final class Journal<Event: Codable & Sendable>: Sendable {
  private let lines: ChainedLines<JournalChain>

  private init(_ lines: ChainedLines<JournalChain>) {
    self.lines = lines
  }

  /// Opens a journal, or starts one, and reads what is there.
  ///
  /// - Parameters:
  ///   - path: The journal's file, in a folder that is there.
  ///   - endsAtHoles: Whether it has events that are not durable. Of those a power cut can leave zeros where pages did not reach the disk,
  ///     and later ones after them: the zeros end the journal then, and are cut off. In a journal of durable events alone they are
  ///     damage.
  /// - Returns: The journal, which no one else can open as long as it is kept, and its events, oldest first.
  /// - Throws: ``RunError`` with code ``RunError/Code/malformedRecord``, naming file and line, if it is damaged or if an event
  ///   is not an `Event`; with code ``RunError/Code/inUse`` if another has it open; and with code
  ///   ``RunError/Code/cannotWrite`` if the system refuses.
  public static func open(
    at path: FilePath,
    endsAtHoles: Bool = false
  ) throws -> (journal: Journal, events: [Event]) {
    var events: [Event] = []
    let journal = try open(at: path, endsAtHoles: endsAtHoles) { events.append($0) }
    return (journal, events)
  }

  /// Opens a journal as ``Journal/open(at:endsAtHoles:)`` does, and hands over its events one by one.
  public static func open(
    at path: FilePath,
    endsAtHoles: Bool = false,
    forEach body: (Event) throws -> Void
  ) throws -> Journal {
    Journal(
      try ChainedLines.open(
        at: path,
        from: JournalChain(),
        endsAtHoles: endsAtHoles,
        forEach: { content, line in try body(decode(content, line: line, of: path)) }
      ).lines
    )
  }

  /// Hands over the events that a journal holds now, one by one, also while another has it open.
  ///
  /// A line that is not whole yet is left out.
  ///
  /// - Parameters:
  ///   - path: The journal's file.
  ///   - endsAtHoles: As of ``Journal/open(at:endsAtHoles:)``: what comes after a hole is left out, too.
  ///   - body: Is given the events, oldest first.
  /// - Throws: ``RunError`` with code ``RunError/Code/malformedRecord``, naming file and line, if it is damaged.
  public static func read(
    at path: FilePath,
    endsAtHoles: Bool = false,
    forEach body: (Event) throws -> Void
  ) throws {
    try ChainedLines.read(at: path, from: JournalChain(), endsAtHoles: endsAtHoles) {
      content,
      line in
      try body(decode(content, line: line, of: path))
    }
  }

  /// How many events it holds.
  public var count: Int { lines.chain.count }

  /// Adds an event.
  ///
  /// Any thread may call this, and those that call at once wait for the disk together. Events stand in the order of the calls.
  ///
  /// - Parameters:
  ///   - event: What has happened.
  ///   - isDurable: Whether it is on the disk when this returns. If not, it is with the system, which keeps it through a kill but
  ///     not through a power cut, and gets to the disk with the next that is durable.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the event is not there. The file is then as it
  ///   was, and if the disk was only full, later calls may succeed.
  public func append(_ event: Event, isDurable: Bool = true) throws {
    try append(contentsOf: CollectionOfOne(event), isDurable: isDurable)
  }

  /// Adds events next to each other.
  ///
  /// A kill in the meantime can leave the first of them alone.
  ///
  /// - Throws: ``RunError`` as ``Journal/append(_:isDurable:)`` does; then none of them is added.
  public func append(
    contentsOf events: some Collection<Event>,
    isDurable: Bool = true
  ) throws {
    let encoder = RunRecord.encoder
    let encoded = try events.map { event in
      do {
        return Array(try encoder.encode(event))
      } catch {
        throw RunError(code: .cannotWrite, message: "an event is not JSON")
      }
    }
    if encoded.isEmpty { return }
    try lines.append(encoded, isDurable: isDurable)
  }

  /// Waits until all events are on the disk that were added.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite``; those that were not durable are lost then.
  public func synchronize() throws { try lines.append([]) }

  private static func decode(
    _ bytes: ArraySlice<UInt8>,
    line: Int,
    of path: FilePath
  ) throws -> Event {
    do {
      return try RunRecord.decoder.decode(Event.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw RunError(
        code: .malformedRecord,
        message: "\(path), line \(line): \(error.fieldDescription)"
      )
    }
  }
}
