import Foundation
import Synchronization
import SystemPackage
import TesseraDeployment

/// Where servers keep their jobs of which one can take over from the other.
struct ServerMemory: Sendable {
  var store: any JobStore
  /// Their copies; `nil` if no other server can take over.
  var replica: (any JobReplica)?
  /// The folder of jobs on the server's own machine; in its kit if `nil`.
  var folder: FilePath?
}

/// The life of a server: from a certain write on, nothing that it writes is written any more.
final class Life: Sendable {
  private let last: Int
  private let count = Mutex(0)

  /// A life of so many writes.
  init(writes: Int) { last = writes }

  /// How many writes have been tried.
  var writes: Int { count.withLock { $0 } }

  func write<Value>(_ body: () throws -> Value) throws -> Value {
    let number = count.withLock { count in
      count += 1
      return count
    }
    guard number <= last else {
      throw DeploymentError(code: .unavailable, message: "write \(number) comes after the end")
    }
    return try body()
  }
}

/// A store that is written to during a life.
struct MortalStore: JobStore {
  let store: any JobStore
  let life: Life

  func jobs() throws -> [JobRecord] { try store.jobs() }
  func job(_ id: String) throws -> JobRecord? { try store.job(id) }
  func add(_ job: JobRecord) throws { try life.write { try store.add(job) } }
  func update(_ id: String, _ change: (inout JobRecord) throws -> Void) throws -> JobRecord {
    try life.write { try store.update(id, change) }
  }
  func remove(_ id: String) throws { try life.write { try store.remove(id) } }
  func disabledSites() throws -> Set<String> { try store.disabledSites() }
  func setSite(_ name: String, isDisabled: Bool) throws {
    try life.write { try store.setSite(name, isDisabled: isDisabled) }
  }
}

/// Copies of jobs' folders in another folder, written during a life.
struct MortalReplica: JobReplica {
  let copies: FilePath
  let life: Life

  func store(_ folder: FilePath, of job: String, only items: [String]?) throws {
    try life.write {
      let manager = FileManager.default
      let (place, new) = (copies.appending(job).string, copies.appending(".\(job)"))
      try manager.createDirectory(atPath: new.string, withIntermediateDirectories: true)
      for item in try manager.contentsOfDirectory(atPath: folder.string)
      where items?.contains(item) ?? true {
        try manager.copyItem(
          atPath: folder.appending(item).string,
          toPath: new.appending(item).string
        )
      }
      try? manager.removeItem(atPath: place)
      try manager.moveItem(atPath: new.string, toPath: place)
    }
  }

  func restore(_ job: String, into folder: FilePath) throws {
    guard try jobs().contains(job) else {
      throw DeploymentError(code: .notFound, message: "there is no copy of job \(job)")
    }
    try FileManager.default.copyItem(atPath: copies.appending(job).string, toPath: folder.string)
  }

  func remove(_ job: String) throws {
    try life.write {
      let place = copies.appending(job).string
      try FileManager.default.moveItem(atPath: place, toPath: "\(place)\(Self.removed)")
    }
  }

  func jobs() throws -> Set<String> { try names().filter { !$0.hasSuffix(Self.removed) } }

  func removedJobs() throws -> Set<String> {
    Set(
      try names().filter { $0.hasSuffix(Self.removed) }
        .map { String($0.dropLast(Self.removed.count)) }
    )
  }

  private func names() throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: copies.string))
  }

  private static let removed = ".removed"
}

/// A store on a disk that is full when jobs end, until there is room.
final class FullStore: JobStore {
  private let store: any JobStore
  private let isFull = Mutex(true)

  init(_ store: any JobStore) { self.store = store }

  func makeRoom() { isFull.withLock { $0 = false } }

  func jobs() throws -> [JobRecord] { try store.jobs() }
  func job(_ id: String) throws -> JobRecord? { try store.job(id) }
  func add(_ job: JobRecord) throws { try store.add(job) }
  func update(_ id: String, _ change: (inout JobRecord) throws -> Void) throws -> JobRecord {
    try store.update(id) { job in
      try change(&job)
      guard job.state.isOver, isFull.withLock({ $0 }) else { return }
      throw DeploymentError(code: .cannotWrite, message: "cannot write jobs: \(Errno.noSpace)")
    }
  }
  func remove(_ id: String) throws { try store.remove(id) }
  func disabledSites() throws -> Set<String> { try store.disabledSites() }
  func setSite(_ name: String, isDisabled: Bool) throws {
    try store.setSite(name, isDisabled: isDisabled)
  }
}
