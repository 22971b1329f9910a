internal import Foundation
internal import Synchronization
public import SystemPackage
public import TesseraCore
internal import TesseraRun

/// Memories of sites in files, so that a run that was killed finds them as they were.
///
/// A site's contents after step *n* are in `NAME-n.safetensors`. A round that is repeated asks for what was there before its
/// first step, so files of the round under way stay beside the last one before it until ``discard(before:)``.
public final class FolderSiteMemories: SiteMemoryStore {
  private let folder: FilePath
  /// The steps of each site's files, ascending.
  private let steps: Mutex<[Int: [Int]]>
  /// The digests of what this process has kept, by site, of the last step alone.
  private let digests = Mutex<[Int: (step: Int, digest: String)]>([:])

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
    guard let last = lastStep(of: site, before: step) else { return [:] }
    return try ModelState(contentsOf: file(site.index, last)).memories()
  }

  /// What a site keeps, as of before a step that nothing came of; what was kept from that step on is removed.
  public func contents(
    of site: Site,
    forgettingFrom step: Int
  ) throws -> [String: ModelState] {
    remove { own in (own[site.index] ?? []).filter { $0 >= step }.map { (site.index, $0) } }
    return try contents(of: site, before: step)
  }

  /// Keeps what a site's memory holds after a step.
  public func keep(_ contents: [String: ModelState], of site: Site, after step: Int) throws {
    let state = try ModelState(joining: contents)
    try state.write(to: file(site.index, step))
    let digest = try Digest.sha256(of: state).model
    digests.withLock { $0[site.index] = (step, digest) }
    steps.withLock {
      var own = $0[site.index] ?? []
      own.removeAll { $0 == step }
      $0[site.index] = (own + [step]).sorted()
    }
  }

  /// The last step before another after which a site has kept something; `nil` if there is none.
  public func lastStep(of site: Site, before step: Int) -> Int? {
    steps.withLock { $0[site.index]?.last { $0 < step } }
  }

  /// The digest of what a site remembers after a step, if it was kept then.
  ///
  /// - Parameters:
  ///   - site: The site's index.
  ///   - first: The first step that counts.
  ///   - last: The last one.
  /// - Returns: The digest, or `nil` if what the site remembers has not changed since a step before the first.
  /// - Throws: ``RunError`` or ``TensorError`` if a file cannot be read.
  func digest(ofSite site: Int, from first: Int, through last: Int) throws -> String? {
    guard let step = steps.withLock({ $0[site]?.last { $0 <= last } }), step >= first else {
      return nil
    }
    if let known = digests.withLock({ $0[site] }), known.step == step { return known.digest }
    // What an earlier process kept.
    return try Digest.sha256(of: ModelState(contentsOf: file(site, step))).model
  }

  /// Removes what no repetition will ask for, once all up to `step` is done: everything but the latest of each site by then.
  ///
  /// What a killed process left of later steps goes too: they will be done again.
  ///
  /// - Parameters:
  ///   - step: The last step that is done.
  ///   - unused: The first steps of which no answers were used, by the indices of sites (``SiteTask/unusedSince``): of such a site
  ///     what it kept before then stays, too.
  public func settle(at step: Int, unused: [Int: Int] = [:]) {
    remove { steps in
      steps.flatMap { site, own in
        let first = unused[site] ?? .max
        let kept = own.last { $0 <= step && $0 < first }
        return own.filter { $0 != kept && !(first...max(first, step)).contains($0) }
          .map { (site, $0) }
      }
    }
  }

  /// Removes what no task will ask for: all but the latest from before a step, and what came after that.
  ///
  /// - Parameters:
  ///   - first: The earliest step that may be repeated.
  ///   - step: The step that comes now: what was kept from then on, a life of the server has left that is forgotten.
  public func discard(before first: Int, from step: Int) {
    remove { steps in
      steps.flatMap { site, own in
        let kept = own.last { $0 < first }
        return own.filter { ($0 < first && $0 != kept) || $0 >= step }.map { (site, $0) }
      }
    }
  }

  private func remove(_ choose: ([Int: [Int]]) -> [(site: Int, step: Int)]) {
    let gone = steps.withLock { steps in
      let gone = choose(steps)
      for (site, step) in gone {
        steps[site]?.removeAll { $0 == step }
        if steps[site]?.isEmpty == true { steps[site] = nil }
      }
      return gone
    }
    for (site, step) in gone { unlink(file(site, step).string) }
  }
}
