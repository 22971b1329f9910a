public import SystemPackage
public import TesseraCore

/// Images of one size with a class each, in memory as bytes.
public struct LabelledImages: Sendable {
  /// What the data set is called.
  public let name: String
  /// `[count, channels, height, width]`, `uint8`.
  public let images: Tensor
  /// `[count]`, `int64`, each in `0..<classNames.count`.
  public let labels: Tensor
  /// What the classes are called.
  public let classNames: [String]
  /// The files it was read from.
  public let files: [FilePath]
  /// The labels as Swift numbers.
  public let labelList: [Int]

  /// A data set of the given images.
  ///
  /// - Throws: ``DataError`` with code ``DataError/Code/malformedFile`` if there is not one label for each image, or a
  ///   label is no class.
  public init(
    name: String,
    images: Tensor,
    labels: Tensor,
    classNames: [String],
    files: [FilePath] = []
  ) throws {
    let shape = images.shape
    guard shape.count == 4, images.dtype == .uint8 else {
      throw DataError(
        code: .malformedFile,
        message: "\(name): images must be bytes [count, channels, height, width], not \(images)"
      )
    }
    guard labels.shape == [shape[0]] else {
      throw DataError(
        code: .malformedFile,
        message: "\(name) has \(shape[0]) images but labels of shape \(labels.shape)"
      )
    }
    let list = try labels.to(.int64).array(of: Int.self)
    guard list.allSatisfy(classNames.indices.contains) else {
      throw DataError(
        code: .malformedFile,
        message: "\(name): a label is outside 0..<\(classNames.count)"
      )
    }
    self.name = name
    self.images = images
    self.labels = try labels.to(.int64)
    self.classNames = classNames
    self.files = files
    labelList = list
  }

  /// Several data sets as one, in their order.
  ///
  /// - Throws: ``DataError`` with code ``DataError/Code/malformedFile``, naming the first that has images of another size or
  ///   other classes than those before it; if there are none.
  public init(joining parts: [LabelledImages], named name: String) throws {
    guard let first = parts.first else {
      throw DataError(code: .malformedFile, message: "\(name): there are no data sets to join")
    }
    for part in parts
    where part.classNames != first.classNames
      || part.images.shape.dropFirst() != first.images.shape.dropFirst()
    {
      throw DataError(
        code: .malformedFile,
        message: "\(part.name) has images of another size or other classes than \(first.name)"
      )
    }
    try self.init(
      name: name,
      images: concatenate(parts.map(\.images)),
      labels: concatenate(parts.map(\.labels)),
      classNames: first.classNames,
      files: parts.flatMap(\.files)
    )
  }

  /// The number of images.
  public var count: Int { labelList.count }

  /// The images at the given positions, in that order.
  ///
  /// - Throws: ``TensorError`` if a position is outside the data set.
  public func subset(_ indices: [Int]) throws -> LabelledImages {
    let positions = try Tensor(indices)
    return try LabelledImages(
      name: name,
      images: images.gathered(positions),
      labels: labels.gathered(positions),
      classNames: classNames,
      files: files
    )
  }

  /// How many of the images at the given positions each class has; positions outside are left out.
  public func labelCounts(of indices: [Int]) -> [Int] {
    var counts = [Int](repeating: 0, count: classNames.count)
    for index in indices where labelList.indices.contains(index) { counts[labelList[index]] += 1 }
    return counts
  }
}
