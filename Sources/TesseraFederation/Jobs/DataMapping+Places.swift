internal import Foundation
public import SystemPackage
internal import TesseraConfiguration

extension DataMapping {
  /// The folders and files that the data are read from.
  public var places: [FilePath] {
    switch source {
    case .none, .atSites: []
    case .divided(let folder, _, _): [folder]
    case .images(let folders, let test): folders.map(\.folder) + (test.map { [$0] } ?? [])
    case .tables(let tables): tables.map(\.file)
    case .folders(let folders): folders.map(\.path)
    }
  }

  /// What in a job's folder is data: `data.yml`, which is for simulations, and whatever it names that lies in the folder.
  ///
  /// - Parameters:
  ///   - folder: The job's.
  ///   - components: What `data.yml` can name.
  /// - Returns: Paths in the folder; none if there is no `data.yml`.
  /// - Throws: `ConfigurationError` if it cannot be read, or names the whole folder: what is data then, nobody can say.
  public static func places(
    inFolderOfJob folder: FilePath,
    components: JobComponents = .standard
  ) throws -> [String] {
    let file = folder.appending("data.yml")
    guard FileManager.default.fileExists(atPath: file.string) else { return [] }
    let base = folder.absolute.lexicallyNormalized()
    let mapping = try ConfigurationFile(contentsOf: file).decode {
      try DataMapping($0, relativeTo: base, components: components)
    }
    return try ["data.yml"]
      + mapping.places.compactMap { place in
        var place = place.lexicallyNormalized()
        guard !base.starts(with: place) else {
          throw ConfigurationError(problems: [
            .init(
              code: .invalid,
              file: file,
              keyPath: "",
              message: "names a folder that the job itself lies in"
            )
          ])
        }
        return place.removePrefix(base) ? place.string : nil
      }
  }
}
