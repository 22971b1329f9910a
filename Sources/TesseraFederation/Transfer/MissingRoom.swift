internal import Foundation
public import SystemPackage
internal import TesseraCore

/// A disk has no room for a content that was announced: nothing of it was asked for.
public struct MissingRoom: Error, Sendable, CustomStringConvertible {
  /// How many bytes the content has.
  public var bytes: Int
  /// How many bytes such contents have as a rule, at most; `nil` if there is no rule.
  public var usual: Int?
  /// How many such contents were under way at once, this one among them.
  public var count = 1
  /// How many bytes were free; `nil` if the system does not say.
  public var free: Int?
  /// Where there is no room.
  public var folder: FilePath
  private let cause: String

  /// No room in a folder, as the system's error says.
  init(for bytes: Int, in folder: FilePath, _ error: TensorError) {
    self.bytes = bytes
    self.folder = folder
    free = Self.free(in: folder)
    cause = error.message
  }

  /// How many bytes there must be before it is tried again: for as many contents as were under way, of which none is measured by more
  /// than is usual, whatever somebody announces.
  public var needed: Int {
    let (sum, isTooMuch) = min(bytes, usual ?? bytes)
      .multipliedReportingOverflow(by: max(count, 1))
    return isTooMuch ? .max : sum
  }

  /// How many bytes are free on the disk of a folder; `nil` if the system does not say.
  public static func free(in folder: FilePath) -> Int? {
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.string)
    return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
  }

  /// How much room is needed, where, how much there is, and what the system says.
  public var description: String {
    let free = free.map { ", where \($0) are free" } ?? ""
    return "cannot make room for \(bytes) bytes in \(folder)\(free): \(cause)"
  }
}
