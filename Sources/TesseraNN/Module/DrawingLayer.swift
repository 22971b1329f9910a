internal import TesseraCore

/// A layer that draws while it is trained.
protocol DrawingLayer: AnyObject {
  /// What it draws from.
  var generator: Generator { get set }
}

extension Dropout: DrawingLayer {}

extension StochasticDepth: DrawingLayer {}
