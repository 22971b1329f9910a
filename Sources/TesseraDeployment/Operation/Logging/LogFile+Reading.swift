internal import Foundation
public import SystemPackage

extension LogFile {
  /// The last lines of a log, oldest first, of the file that is written and of those before.
  ///
  /// - Parameters:
  ///   - path: The file that is written.
  ///   - count: How many lines at most.
  /// - Returns: The lines, without their ends; none if there is no such file.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if the system refuses.
  public static func lines(of path: FilePath, last count: Int) throws -> [String] {
    var lines: [String] = []
    var number = 0
    while lines.count < count {
      guard let text = try text(of: Self.path(of: path, number)) else { break }
      let more = text.split(separator: "\n").suffix(count - lines.count)
      lines.insert(contentsOf: more.map(String.init), at: 0)
      number += 1
    }
    return lines
  }

  private static func text(of path: FilePath) throws -> String? {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      return try file.closeAfter {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
          let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
          if count == 0 { break }
          bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
      }
    } catch Errno.noSuchFileOrDirectory {
      return nil
    } catch {
      throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read: \(error)")
    }
  }
}
