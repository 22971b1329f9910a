/// What a retrieval data set is made of.
public struct DatasetDescription: Sendable, Hashable, Codable {
  /// Something that the data set was made from.
  public struct Source: Sendable, Hashable, Codable {
    /// The package or collection.
    public var name: String
    /// Its version.
    public var version: String
    /// Under which licence its contents are.
    public var licence: String

    /// Makes a source.
    public init(name: String, version: String, licence: String) {
      self.name = name
      self.version = version
      self.licence = licence
    }
  }

  /// The languages of captions, by whether they are ever paired with a picture while a model learns.
  public struct Languages: Sendable, Hashable, Codable {
    /// Languages whose captions are learned together with pictures.
    public var wellResourced: [String]
    /// Languages that models know from translations alone.
    public var underResourced: [String]

    /// Makes the groups.
    public init(wellResourced: [String] = [], underResourced: [String] = []) {
      self.wellResourced = wellResourced
      self.underResourced = underResourced
    }
  }

  /// What the data set is called.
  public var name: String
  /// The height and width of its pictures.
  public var pictureSize: Int
  /// What it was made from.
  public var sources: [Source]
  /// The languages of its captions, each in one of the two groups.
  public var languages: Languages
  /// The settings that it was built with.
  public var recipe: [String: String]
  /// How many of what was left out, by reason.
  public var removed: [String: Int]

  /// Makes a description.
  public init(
    name: String,
    pictureSize: Int,
    sources: [Source] = [],
    languages: Languages = Languages(),
    recipe: [String: String] = [:],
    removed: [String: Int] = [:]
  ) {
    self.name = name
    self.pictureSize = pictureSize
    self.sources = sources
    self.languages = languages
    self.recipe = recipe
    self.removed = removed
  }
}
