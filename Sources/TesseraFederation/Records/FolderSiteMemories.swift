internal import Foundation
internal import Synchronization
public import SystemPackage
public import TesseraCore

/// Memories of sites in files, so that a run that was killed finds them as they were.
///
/// A site's contents after step *n* are in `NAME-n.safetensors`. A round that is repeated asks for what was there before its
/// first step, so files of the round under way stay beside the last one before it until ``discard(before:)``.
public final class FolderSiteMemories: SiteMemoryStore {
  private let folder: FilePath
  /// The steps of each site's files, ascending.
  private let steps: Mutex<[Int: [Int]]>

  /// The memories in a folder, which is made if it is not there.
  ///
  /// - Throws: ``FederationError`` if it cannot be made.
  public init(in folder: FilePath) throws {
    self.folder = folder
    do {
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true
      )
    } catch {
      throw FederationError(code: .cannotResume, message: "cannot make the folder \(folder)")
    }
    var found: [Int: [Int]] = [:]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? [] {
      let parts = name.split(separator: ".").first?.split(separator: "-").compactMap { Int($0) }
      guard name.hasSuffix(".safetensors"), let parts, parts.count == 2 else { continue }
      found[parts[0], default: []].append(parts[1])
    }
    steps = Mutex(found.mapValues { $0.sorted() })
  }

  private func file(_ site: Int, _ step: Int) -> FilePath {
    folder.appending("\(site)-\(step).safetensors")
  }

  /// What a site keeps, as of before a step.
  public func contents(of site: Site, before step: Int) throws -> [String: ModelState] {
    let last = steps.withLock { $0[site.index]?.last { $0 < step } }
    guard let last else { return [:] }
    return try ModelState(contentsOf: file(site.index, last)).memories()
  }

  /// Keeps what a site's memory holds after a step.
  public func keep(_ contents: [String: ModelState], of site: Site, after step: Int) throws {
    try ModelState(joining: contents).write(to: file(site.index, step))
    steps.withLock {
      var own = $0[site.index] ?? []
      own.removeAll { $0 == step }
      $0[site.index] = (own + [step]).sorted()
    }
  }

  /// Removes what no repetition will ask for, once all up to `step` is done: everything but the latest of each site by then.
  ///
  /// What a killed process left of later steps goes too: they will be done again.
  public func settle(at step: Int) {
    let gone: [FilePath] = steps.withLock { steps in
      var gone: [FilePath] = []
      for (site, own) in steps {
        let kept = own.last { $0 <= step }
        gone += own.filter { $0 != kept }.map { file(site, $0) }
        steps[site] = kept.map { [$0] }
      }
      return gone
    }
    for path in gone { unlink(path.string) }
  }
}
