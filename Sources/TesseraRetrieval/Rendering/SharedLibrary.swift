internal import Foundation

/// A C library that is opened when it is first needed.
///
/// Fonts and vector graphics are drawn only while a data set is built. Linked, their libraries, and the thirty that these need, would be
/// loaded at every start of every program, and would have to be there for every build.
//
// @unchecked Sendable: the handle never changes, and the loader's functions may be called from any thread.
final class SharedLibrary: @unchecked Sendable {
  private let name: String
  private let handle: UnsafeMutableRawPointer

  /// Opens a library for the rest of the process.
  ///
  /// - Parameters:
  ///   - name: Its name with the version of its binary interface, as `libharfbuzz.so.0`.
  ///   - package: What a person can install.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/missingFile`` if it is not there.
  init(_ name: String, package: String) throws {
    guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
      throw RetrievalError(
        code: .missingFile,
        message: """
          the library \(name) is not there: ./setup --retrieval-data installs Debian's package \
          \(package)
          """
      )
    }
    self.name = name
    self.handle = handle
  }

  /// A function, or a variable, of this library or of one that it needs.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - type: What it is in the library's header: a function pointer `@convention(c)`, or a pointer to a variable.
  /// - Returns: Where it is.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/missingFile`` if there is none of that name.
  func symbol<Symbol>(_ name: String, as type: Symbol.Type = Symbol.self) throws -> Symbol {
    precondition(MemoryLayout<Symbol>.size == MemoryLayout<UnsafeMutableRawPointer>.size)
    guard let address = dlsym(handle, name) else {
      throw RetrievalError(
        code: .missingFile,
        message: "the library \(self.name) is too old: it has no \(name)"
      )
    }
    return unsafeBitCast(address, to: type)
  }
}
