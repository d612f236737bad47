"""Whisper: conversion of its weights, fine-tuning, decoding, export."""
