internal import Foundation
public import SystemPackage
internal import TesseraCore

/// Folders of images, one for each class: `tumour/0001.png`, `tumour/0002.jpg`, `none/0001.png`.
public enum ImageFolder {
  private static let extensions: Set<String> = ["png", "jpg", "jpeg"]

  /// Reads all images.
  ///
  /// Classes are numbered by the alphabetical order of their folders' names, images by that of their paths. Files that end
  /// neither with `.png`, `.jpg` nor `.jpeg`, and what begins with a dot, are left out.
  ///
  /// - Parameters:
  ///   - folder: Has a folder for each class.
  ///   - size: The height and the width that images get (bilinearly, over all pixels when they shrink); if `nil`, they must
  ///   have one size.
  ///   - channels: What is wanted of colours; as stored, all images must agree.
  ///   - progress: Is called after each image, with how many are read and how many there are.
  /// - Returns: The images, as bytes in memory.
  /// - Throws: ``DataError`` naming the folder that holds nothing, or the file that is damaged or differs.
  public static func load(
    from folder: FilePath,
    resizedTo size: (height: Int, width: Int)? = nil,
    channels: ImageFile.Channels = .rgb,
    progress: (_ read: Int, _ of: Int) -> Void = { _, _ in }
  ) throws -> LabelledImages {
    if let size, size.height < 1 || size.width < 1 {
      throw DataError(
        code: .invalidArgument,
        message: "images cannot be resized to \(size.height)×\(size.width)"
      )
    }
    let classes = try subfolders(of: folder)
    guard !classes.isEmpty else {
      throw DataError(
        code: .missingFile,
        message: "\(folder) has no folder of images for any class"
      )
    }
    var files: [(path: FilePath, label: Int)] = []
    for (label, name) in classes.enumerated() {
      let found = imageFiles(in: folder.appending(name))
      guard !found.isEmpty else {
        throw DataError(
          code: .missingFile,
          message: "\(folder.appending(name)) holds no PNG or JPEG file"
        )
      }
      files += found.map { ($0, label) }
    }
    func read(_ file: FilePath) throws -> Tensor {
      let stored = try ImageFile.read(file, channels: channels)
      return try size.map {
        try ImageFile.resized(stored, height: $0.height, width: $0.width)
      } ?? stored
    }
    let first = try read(files[0].path)
    // A list of images, stacked at the end, would take twice the memory.
    let images = try Tensor.zeros([files.count] + first.shape, dtype: .uint8)
    for (number, file) in files.enumerated() {
      try Task.checkCancellation()
      let image = number == 0 ? first : try read(file.path)
      guard image.shape == first.shape else {
        throw DataError(
          code: .malformedFile,
          message: """
            \(file.path) is an image \(image.shape), but \(files[0].path) is \(first.shape): \
            give a size to resize to, or one kind of colour
            """
        )
      }
      // Nobody else has seen the tensor yet.
      try images.slice(at: number).overwrite(with: image)
      progress(number + 1, files.count)
    }
    return try LabelledImages(
      name: folder.lastComponent?.string ?? folder.string,
      images: images,
      labels: Tensor(files.map(\.label)),
      classNames: classes,
      files: files.map(\.path)
    )
  }

  private static func subfolders(of folder: FilePath) throws -> [String] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder.string)
    } catch {
      throw DataError(code: .missingFile, message: "cannot read the folder \(folder)")
    }
    return names.filter { name in
      var isFolder: ObjCBool = false
      return !name.hasPrefix(".")
        && FileManager.default.fileExists(
          atPath: folder.appending(name).string,
          isDirectory: &isFolder
        ) && isFolder.boolValue
    }
    .sorted()
  }

  private static func imageFiles(in folder: FilePath) -> [FilePath] {
    let paths = FileManager.default.subpaths(atPath: folder.string) ?? []
    return paths.filter { path in
      let parts = FilePath(path)
      return extensions.contains(parts.extension?.lowercased() ?? "")
        && !parts.components.contains { $0.string.hasPrefix(".") }
    }
    .sorted().map { folder.appending($0) }
  }
}
