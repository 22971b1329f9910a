import SystemPackage
import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

/// PyTorch's values for one case of a file that `make_golden.py` wrote.
struct Golden {
  private let file: SafeTensors
  private let name: String

  /// A case, such as `conv2d`, of a file, such as `layers`.
  init(_ file: String, _ name: String = "") throws {
    let folder = FilePath(#filePath).removingLastComponent().appending("Fixtures")
    self.file = try SafeTensors(contentsOf: folder.appending("\(file).safetensors"))
    self.name = name
  }

  func callAsFunction(_ tensor: String) throws -> Tensor {
    try file.tensor(name.isEmpty ? tensor : "\(name)/\(tensor)")
  }

  /// The tensors whose names begin so, without that beginning.
  func all(_ prefix: String) throws -> [(name: String, tensor: Tensor)] {
    let beginning = "\(name)/\(prefix)."
    return try file.names.filter { $0.hasPrefix(beginning) }.map { full in
      (String(full.dropFirst(beginning.count)), try file.tensor(full))
    }
  }
}

/// A case with a name that a failing test prints.
struct Case: CustomTestStringConvertible, Sendable {
  let name: String
  var testDescription: String { name }
}
