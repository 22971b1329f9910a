internal import ArgumentParser
internal import TesseraCore

/// Where tensors are computed.
struct DeviceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What computes: 'cpu'; 'cuda', a GPU, of several processes each its own; or 'cuda:1', the second.",
      valueName: "device"
    ),
    transform: { text in
      guard let device = Wanted(text) else {
        throw ValidationError("'\(text)' is not cpu, cuda or cuda:<number>")
      }
      return device
    }
  )
  var device = Wanted.cpu

  /// What was asked for.
  enum Wanted {
    case cpu
    case gpu
    case oneGPU(Int)

    init?(_ text: String) {
      switch text {
      case "cpu": self = .cpu
      case "cuda": self = .gpu
      default:
        guard text.hasPrefix("cuda:"), let index = Int(text.dropFirst(5)), index >= 0 else {
          return nil
        }
        self = .oneGPU(index)
      }
    }
  }

  /// The device.
  ///
  /// - Parameter rank: Which of several processes of a machine this is.
  /// - Returns: The device.
  /// - Throws: `ValidationError` if it is not there.
  func device(rank: Int = 0) throws -> Device {
    let count = Device.cudaCount
    func checked(_ index: Int) throws -> Device {
      guard index < count else {
        throw ValidationError(
          count == 0
            ? "LibTorch finds no GPU here; './setup --cuda' installs what it needs"
            : "There is no GPU \(index): the last of this machine is \(count - 1)"
        )
      }
      return .cuda(index)
    }
    return switch device {
    case .cpu: .cpu
    case .gpu: try checked(count == 0 ? 0 : rank % count)
    case .oneGPU(let index): try checked(index)
    }
  }
}
