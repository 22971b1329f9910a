internal import Foundation
internal import Synchronization

/// The GPUs of a site, and which of its jobs has which.
///
/// The server counts how many are in use, and gives the site no job that needs more than are left; which they are is the site's
/// own affair. A job keeps its own as long as anything of it works.
final class GPUPool: Sendable {
  private struct Holding: Sendable {
    var devices: [Int]
    var holders: Int
  }
  private let devices: [Int]
  private let holdings = Mutex<[String: Holding]>([:])

  /// - Parameter devices: The numbers that CUDA gives them.
  init(_ devices: [Int]) { self.devices = devices }

  /// Whether there are any at all.
  var isEmpty: Bool { devices.isEmpty }

  /// What a job has of the GPUs, until this is gone.
  final class Share: Sendable {
    /// Their numbers.
    let devices: [Int]
    private let job: String
    private let pool: GPUPool

    fileprivate init(_ devices: [Int], of job: String, in pool: GPUPool) {
      (self.devices, self.job, self.pool) = (devices, job, pool)
    }

    deinit { pool.giveBack(job) }
  }

  /// GPUs for a job: those that it has already, or such as nobody has.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if there are not enough.
  func take(_ count: Int, for job: String) throws -> Share {
    let taken = try holdings.withLock { holdings in
      if let known = holdings[job], known.devices.count == count {
        holdings[job]?.holders += 1
        return known.devices
      }
      let used = Set(holdings.values.flatMap(\.devices))
      let free = devices.filter { !used.contains($0) }
      guard holdings[job] == nil, free.count >= count else {
        throw DeploymentError(
          code: .unavailable,
          message:
            "the job needs \(count) GPUs, and of \(devices.count) here \(free.count) are free"
        )
      }
      holdings[job] = Holding(devices: Array(free.prefix(count)), holders: 1)
      return Array(free.prefix(count))
    }
    return Share(taken, of: job, in: self)
  }

  private func giveBack(_ job: String) {
    holdings.withLock { holdings in
      guard let holding = holdings[job] else { return }
      holdings[job]?.holders -= 1
      if holding.holders <= 1 { holdings[job] = nil }
    }
  }

  /// The GPUs that this machine has, by the driver's own list; of them those alone that `CUDA_VISIBLE_DEVICES` of this process
  /// names, if it is set.
  static func detected(
    in folder: String = "/proc/driver/nvidia/gpus",
    visible: String? = ProcessInfo.processInfo.environment["CUDA_VISIBLE_DEVICES"]
  ) -> [Int] {
    let count = (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
    let all = Array(0..<count)
    guard let visible else { return all }
    let named = visible.split(separator: ",").map { Int($0.trimmingCharacters(in: .whitespaces)) }
    // CUDA itself stops at the first that is none.
    return named.prefix { $0.map(all.contains) ?? false }.compactMap { $0 }
  }
}
