internal import Foundation
internal import SystemPackage
internal import TesseraRun

/// The files of a folder, as records name them.
enum FolderFiles {
  /// All files in a folder and in those below, or the file itself; links to folders are not followed.
  static func all(in place: FilePath) -> [FilePath] {
    guard isFolder(place) else { return [place] }
    let names = FileManager.default.enumerator(atPath: place.string)
    var files: [FilePath] = []
    while let name = names?.nextObject() as? String {
      let path = place.pushing(FilePath(name))
      if !isFolder(path) { files.append(path) }
    }
    return files
  }

  /// The digest of data that programs read.
  ///
  /// - Parameters:
  ///   - place: A folder or a file.
  ///   - progress: Is called each mebibyte; what it throws ends it.
  /// - Returns: How many files there are, and their digest: what `sha256sum FILES | sha256sum` prints in the folder.
  /// - Throws: `RunError` naming the file that cannot be read.
  static func digest(
    of place: FilePath,
    progress: () throws -> Void = {}
  ) throws -> SiteOffer.Files {
    let files = all(in: place)
    let folder = isFolder(place) ? place : place.removingLastComponent()
    return SiteOffer.Files(
      count: files.count,
      digest: try Digest.sha256(ofFiles: files, in: folder, progress: progress)
    )
  }

  /// The digests of the files of a job's folder, as they come with the job: without those that editors, Python and runs of the
  /// job leave behind, and without its settings, which a record has anyway.
  ///
  /// - Parameters:
  ///   - folder: The job's.
  ///   - places: Data that lie in it.
  /// - Returns: Digests by the files' places; `nil` if there are more files than a job has.
  /// - Throws: `RunError` naming the file that cannot be read.
  static func programs(in folder: FilePath, without places: [FilePath]) throws -> [String: String]?
  {
    let data = places.map { $0.absolute.lexicallyNormalized() }
    let base = folder.absolute.lexicallyNormalized()
    guard let names = FileManager.default.enumerator(atPath: base.string) else { return nil }
    var digests: [String: String] = [:]
    while let name = names.nextObject() as? String {
      let path = base.pushing(FilePath(name))
      let isHidden = path.lastComponent.map { $0.string.hasPrefix(".") } ?? false
      if isHidden || path.lastComponent?.string == "__pycache__" || data.contains(path)
        || RunRecord.isRecord(path)
      {
        names.skipDescendants()
        continue
      }
      if isFolder(path) || Self.settings.contains(name) { continue }
      guard digests.count < Self.largestCount else { return nil }
      digests[name] = try Digest.sha256(ofFile: path)
    }
    return digests
  }

  /// What a record has anyway.
  static let settings: Set<String> = ["job.yml", "data.yml"]
  private static let largestCount = 1000

  private static func isFolder(_ path: FilePath) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder)
      && isFolder.boolValue
  }
}
